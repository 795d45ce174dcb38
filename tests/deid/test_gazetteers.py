"""Names of people and places."""

from medloom.deid.gazetteers import commonest, gazetteer


def test_the_packages_are_read() -> None:
    """Folded, with shares and numbers of people."""
    known = gazetteer()
    assert known.complete
    assert known.first["james"] > known.first["siobhan"] > 0
    assert "martinez" in known.last
    assert known.cities["boston"] > 500_000
    assert known.cities["new york"] > 8_000_000
    assert "new" in known.city_starts
    assert known.is_name("garcia-lopez")
    assert not known.is_name("qzxv")


def test_the_commonest_names_need_no_package() -> None:
    """A few names, no places."""
    known = commonest()
    assert not known.complete
    assert known.is_name("smith")
    assert not known.cities
    assert set(known.first) <= set(gazetteer().first)
    assert known.last - gazetteer().last <= {"doe"}
