"""The campaign: real workers on a real Kafka, killed, stopped, cut off and fed with poison; and who checks them.

In reading order: `campaign` (which tests, how many), `world` (topics on a broker, a population, workers, a watch),
the faults themselves (`kills`, `brokers`, `zombies`, `storms`, `cuts`, `disks`, `clocks`, `damage`, `flood`,
`refusals`), what they are made with (`kafka`, `workers`, `proxy`, `segments`, `population`, `poison`), `dump`, and
`checker`, which shares no code with what it checks. `python -m tests.faults --help` says how to call it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the oracle lies beside us, outside of any package
