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
    "ingred", "zutat", "allerg", "kcal", "glucid", "lipid", "nahrw", "conserv", "konserv", "consom", "consum",
    "haltbar", "mindest", "aufbewahr", "poids", "peso", "gewicht", "netto", "fabriqu", "fabricad",
    "hergestellt", "manufactur", "distribu", "www", "http", "zubereit", "recycl", "achtung",
)  # fmt: skip
"""How words begin that stand in what is to be read on a label (ingredients, advice, addresses), not in a name."""

PERHAPS_READING_MATTER = (
    "contien", "conten", "contain", "enthalt", "inhalt", "nutri", "valeur", "energ", "protei", "kuhl", "store",
    "storage", "best", "before", "avant", "net", "weight", "produced", "produit", "import", "prepara", "instruc",
    "direction", "warning", "caution", "attention", "servic",
)  # fmt: skip
"""As before, of words that also stand in names (energy drink, storage box): one is none, two are."""

NET_CONTENT = ("netto", "poids", "peso", "gewicht", "inhalt", "conten", "weight", "fullmeng")
"""How words begin by which a label calls a size its net content, beside the word `net`."""

NOT_CONTENT = ("max", "carb", "sodi", "natri", "sugar", "zucker", "sucre", "azuc", "fett", "satur")
"""How words begin that tell that a size on the same line is something else."""
