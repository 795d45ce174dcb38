"""The leaderboard as a page, as Markdown and as CSV."""

from medloom.bench.report.html import render_html
from medloom.bench.report.text import render_csv, render_markdown

__all__ = ["render_csv", "render_html", "render_markdown"]
