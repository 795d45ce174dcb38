"""What leaves the house: the model folder, its card, and the report."""

from medloom.publish.card import write_card
from medloom.publish.report import build_report, place_model
from medloom.publish.report_html import render

__all__ = ["build_report", "place_model", "render", "write_card"]
