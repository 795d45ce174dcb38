"""All rules together."""

from collections.abc import Iterator

from medloom.deid.page import Page
from medloom.deid.rules.ages import ages
from medloom.deid.rules.contacts import contacts
from medloom.deid.rules.dates import dates
from medloom.deid.rules.facilities import facilities
from medloom.deid.rules.hits import Hit
from medloom.deid.rules.names import names
from medloom.deid.rules.numbers import numbers
from medloom.deid.rules.organisations import organisations
from medloom.deid.rules.people import people
from medloom.deid.rules.places import places
from medloom.deid.rules.reading import Names


def apply(page: Page, known: Names) -> Iterator[Hit]:
    """What every rule finds in a page; finds may overlap."""
    for rule in (dates, ages, contacts, numbers):
        yield from rule(page)
    for guarded in (names, people, places, facilities, organisations):
        yield from guarded(page, known)
