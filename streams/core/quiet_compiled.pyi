from schemas.columns import Column
from streams.core.band import Band

def pass_quiet(
    keys: Column,
    values: Column,
    index: int,
    bands: dict[bytes, Band],
    asleep: dict[str, Band],
    T: int,
    before: int,
    moves: bool,
) -> tuple[int, int]: ...
