"""Phase 1, analysis: barcodes, text, photo quality, brand and model, confidence with evidence for each field."""

from webapp.phases.analysis.phase import analyse

__all__ = ["analyse"]
