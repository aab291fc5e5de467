"""The client's own sales as a source: what it sold before says best what it sells for.

They come in by `flask import-sales` (see `webapp.phases.sales_csv`) and are kept beside the offers, as kind `sale`.
Orders, once there are any here, become sales in the same table.
"""

from webapp.database import reading
from webapp.providers import services
from webapp.providers.interface import Answer, Question

SOURCE = "Your sales"
"""Where they are said to come from."""


class OwnSales:
    """The sales of the client in context. Each question is a short read; nothing is memoised, since nothing is far."""

    def search(self, question: Question) -> Answer:
        """Sales of the same GTIN, or of what the words name: see `webapp.providers.interface.Source`."""
        with reading() as session:
            if question.gtin14:
                return Answer(tuple(services.sales_by_gtin(session, question.gtin14)))
            return Answer(tuple(services.search_sales(session, question.words or "")))
