"""Which column of a file means what."""

import re
from collections.abc import Mapping, Sequence

from webapp.lib.money import currency_code
from webapp.lib.text import words

ALIASES = {
    "title": "title, name, product, product name, product title, item, item title, item name, titel, produktname, "
    "produkt, artikel, artikelname, artikelbezeichnung, bezeichnung, nom, titre, designation, nombre, titulo, titolo, "
    "nome, naam, nazwa",
    "price": "price, preis, prix, precio, prezzo, prijs, cena, amount, betrag, unit price, sale price, offer price, "
    "current price, final price, regular price, variant price, selling price, sold price, verkaufspreis, vk, vk preis, "
    "einzelpreis",
    "list_price": "list price, msrp, rrp, uvp, srp, listenpreis, retail price, recommended price, prix public, "
    "prix conseille, compare at price",
    "shipping": "shipping, shipping cost, shipping price, postage, delivery, delivery cost, versand, versandkosten, "
    "porto, frais de port, livraison, gastos de envio, spedizione, verzendkosten",
    "currency": "currency, currency code, wahrung, waehrung, devise, moneda, valuta, waluta",
    "kind": "kind, price kind, price type, preisart",
    "gtin": "gtin, gtin13, gtin14, gtin 13, gtin 14, ean, ean13, ean 13, ean code, ean nummer, upc, upc code, barcode, "
    "variant barcode, barcode number, isbn, isbn13, strichcode, product code",
    "brand": "brand, brand name, marke, manufacturer, hersteller, maker, vendor, marque, fabricant, marca, merk",
    "model": "model, model number, model no, modell, modellnummer, mpn, part number, part no, teilenummer, modele, "
    "modelo, modello, herstellernummer, manufacturer part number",
    "category": "category, product category, product type, kategorie, warengruppe, categorie, categoria, kategoria",
    "condition": "condition, item condition, zustand, etat, estado, condizione, staat, stan",
    "marketplace": "marketplace, market place, marktplatz, channel, platform, plattform, shop, store, site, handler, "
    "haendler, seller, merchant, boutique",
    "link": "link, url, product url, item url, product link, offer url, web address, lien, enlace",
    "seen_at": "seen at, seen, date, date seen, last seen, datum, updated, updated at, timestamp, crawled at, "
    "scraped at, checked at, fecha, data",
    "source": "source, quelle, provider, feed, origin",
}
"""The names under which each column is known, as folded words."""

LONGEST_NAME = 100
"""What is longer is not the name of a column; and each of its words would be held against all others."""
_MONEY = ("price", "list_price", "total")


def assign(header: Sequence[str], aliases: Mapping[str, str] = ALIASES) -> tuple[dict[str, list[int]], str | None]:
    """For each field the places of its columns in the order of the header (a row's first filled one counts), and the
    currency that the header of a price names (`Price (EUR)`, `preis_eur`). `aliases`: a field's names, with commas."""
    fields = {" ".join(words(name)): field for field, names in aliases.items() for name in names.split(",")}
    places: dict[str, list[int]] = {}
    currencies: list[str] = []
    for place, name in enumerate(header):
        field, currency = _meaning(name, fields)
        if field:
            places.setdefault(field, []).append(place)
            currencies += [currency] if currency else []
    return places, currencies[0] if len(set(currencies)) == 1 else None


def _meaning(name: str, fields: Mapping[str, str]) -> tuple[str | None, str | None]:
    if len(name) > LONGEST_NAME:
        return None, None
    spoken = words(re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ").replace("-", " "))
    if field := fields.get(" ".join(spoken)) or fields.get("".join(spoken)):
        return field, None
    # What is left may name the currency: as a word (`price eur`, `preis in eur`) or as a sign (`Price €`).
    codes = [word.upper() for word in spoken if currency_code(word) == word.upper()]
    signs = [code for sign in re.findall(r"[^\w\s()\[\]/.-]+", name) if (code := currency_code(sign))]
    rest = " ".join(word for word in spoken if word.upper() not in codes and word not in ("in", "en"))
    field = fields.get(rest)
    if field in _MONEY and (codes or signs):
        return field, (codes or signs)[0]
    return None, None
