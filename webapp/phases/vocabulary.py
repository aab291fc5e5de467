"""Words that several phases have to know for what they are; all in folded form."""

from webapp.lib.text import word_set

SELLERS_NOISE = word_set(
    """new neu neuf nuovo nuevo brand used gebraucht usato usado refurbished renewed sealed boxed bnib ovp genuine
    original official oem sale free shipping delivery fast postage versand kostenlos gratis top wow look rare bargain
    made cheap best deal offer discount stock item condition warranty garantie seller uk usa us eu"""
)
"""What sellers put into titles to sell, and what says nothing about which product it is."""

COLOURS = {
    "black": "Black", "white": "White", "silver": "Silver", "grey": "Grey", "gray": "Grey", "red": "Red",
    "blue": "Blue", "green": "Green", "yellow": "Yellow", "pink": "Pink", "purple": "Purple", "violet": "Purple",
    "orange": "Orange", "brown": "Brown", "gold": "Gold", "beige": "Beige", "ivory": "Ivory", "cream": "Cream",
    "turquoise": "Turquoise", "navy": "Navy", "bronze": "Bronze", "schwarz": "Black", "weiss": "White",
    "silber": "Silver", "grau": "Grey", "rot": "Red", "blau": "Blue", "grun": "Green", "gelb": "Yellow",
    "lila": "Purple", "braun": "Brown", "noir": "Black", "blanc": "White", "gris": "Grey", "rouge": "Red",
    "bleu": "Blue", "vert": "Green", "jaune": "Yellow", "nero": "Black", "bianco": "White", "rosso": "Red",
}  # fmt: skip
"""Colour words of the languages that labels here are in, with the English name that listings use."""

READING_MATTER = (
    "ingred", "zutat", "contien", "conten", "contain", "enthalt", "inhalt", "allerg", "nutri", "nahrw", "valeur",
    "energ", "kcal", "protei", "glucid", "lipid", "conserv", "konserv", "consom", "consum", "haltbar", "mindest",
    "aufbewahr", "kuhl", "store", "storage", "before", "avant", "weight", "poids", "peso", "gewicht", "netto",
    "fabriqu", "fabricad", "produced", "produit", "hergestellt", "manufactur", "distribu", "import", "www", "http",
    "prepara", "zubereit", "instruc", "direction", "recycl", "warning", "caution", "achtung", "attention", "servic",
)  # fmt: skip
"""How words begin that stand in what is to be read on a label (ingredients, advice, addresses), not in a name."""

NET_CONTENT = ("net", "poids", "peso", "gewicht", "inhalt", "conten", "volume", "nettovekt", "fullmeng")
"""How words begin by which a label calls a size its net content."""
