"""What peers decode: those of them that take msgspec for it."""

import msgspec


class Count(msgspec.Struct, gc=False):
    """A count as it stands in the topic."""

    event_id: str
    platform: str
    account_id: str
    followers: int
    observed_at: str
