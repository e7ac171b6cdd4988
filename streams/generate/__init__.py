"""Made-up populations as replay input: the same seed gives the same bytes.

settings.py     what is asked for
population.py   what accounts there are: how large, how fast they grow, what they are about
lives.py        what happens to one: what it answers, when it shows its name, how it flees
damage.py       how a record breaks, one way for each dead-letter code
lines.py        all of it as one stream, by time, with late, doubled and broken records
tally.py        what was generated, counted;  plot.py draws it
"""

from streams.generate.lines import generate
from streams.generate.settings import Settings
from streams.generate.tally import Tally

__all__ = ["Settings", "Tally", "generate"]
