"""What falls due next, over all accounts of a partition."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush

from schemas.account import Row
from schemas.instant import FOREVER
from schemas.policy import PolicyBook
from streams.core.deadlines import PHASE_BEGIN, PHASE_END, Due, next_due, phase_bounds

Keys = Callable[[], Iterable[bytes]]


class Agenda:
    """A view of the rows: their dues in the order in which they are decided.

    It holds nothing that the rows and the book do not say, so it can be made anew at any time. The
    begin and the end of a phase concern every row of its platform; they are spread over the rows
    only when they come.

    Args:
        keys: All keys of the partition's rows, in any order.
    """

    _heap: list[Due]
    _planned: dict[bytes, Due]
    """Of each key the due that stands; others of it in the heap are passed over."""
    _bounds: list[tuple[int, str, int]]

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._platforms: dict[str, str] = {}
        self.next_at = FOREVER

    def rebuild(
        self, book: PolicyBook, rows: Iterable[tuple[bytes, Row]], after: int, cursor: Due | None
    ) -> None:
        """Plan everything anew; see `rebuilding`."""
        for _ in self.rebuilding(book, rows, after, cursor):
            pass

    def rebuilding(
        self, book: PolicyBook, rows: Iterable[tuple[bytes, Row]], after: int, cursor: Due | None
    ) -> Iterator[None]:
        """Plan everything anew, row by row; it is of no use before the end.

        Args:
            book: The adopted book.
            rows: Every row with its key.
            after: The instant up to which everything was decided (T).
            cursor: Where a record that was not finished stopped; what comes before it was decided.

        Yields:
            After each row, for who has many of them and something else to do in between.
        """
        after = cursor.due if cursor is not None else after
        bounds = phase_bounds(book.policies.values())
        self._bounds = bounds[bisect_right(bounds, after, key=lambda bound: bound[0]) :]
        self._planned = {}
        for key, row in rows:
            platform, _, account_id = place = key.decode().partition(":")
            unseen = cursor is not None and (platform, account_id) > (cursor.platform, cursor.account_id)
            self._plan(key, place, next_due(book.policies.get(platform), row, after - unseen))
            yield
        self._heap = list(self._planned.values())
        if cursor is not None:
            here = [bound for bound in bounds if bound[0] == cursor.due]
            self._heap += [due for due in self._spread(here) if due > cursor]
        heapify(self._heap)
        self._look()

    def plan(self, book: PolicyBook, key: bytes, row: Row | None, after: int) -> None:
        """Plan the next due of one row that was changed."""
        place = key.decode().partition(":")
        due = next_due(book.policies.get(place[0]), row, after) if row is not None else None
        now = self._plan(key, place, due)
        if now is not None:
            heappush(self._heap, now)
            self.next_at = min(self.next_at, now.due)

    def pop(self, until: int) -> Due | None:
        """Take the next due at or before an instant, None where there is none."""
        while self.next_at <= until:
            if self._bounds and (not self._heap or self._bounds[0][0] <= self._heap[0].due):
                for due in self._spread([self._bounds.pop(0)]):
                    heappush(self._heap, due)
                self._look()
                continue
            due = heappop(self._heap)
            self._look()
            if due.rank in (PHASE_END, PHASE_BEGIN):
                return due
            key = due.key.encode()
            if self._planned.get(key) is due:
                del self._planned[key]
                return due
        return None

    def _plan(self, key: bytes, place: tuple[str, str, str], due: tuple[int, int] | None) -> Due | None:
        """Plan a due of a key, or none; return it where it is not planned already."""
        if due is None:
            self._planned.pop(key, None)
            return None
        planned = self._planned.get(key)
        if planned is not None and (planned.due, planned.rank) == due:
            return None
        platform, _, account_id = place
        platform = self._platforms.setdefault(platform, platform)  # one text for all dues, not one for each
        planned = self._planned[key] = Due(due[0], platform, account_id, due[1])
        return planned

    def _spread(self, bounds: list[tuple[int, str, int]]) -> list[Due]:
        accounts: dict[str, list[str]] = {platform: [] for _, platform, _ in bounds}
        for key in self._keys():
            platform, _, account_id = key.decode().partition(":")
            if platform in accounts:
                accounts[platform].append(account_id)
        return [
            Due(at, platform, account, rank)
            for at, platform, rank in bounds
            for account in accounts[platform]
        ]

    def _look(self) -> None:
        heap = self._heap[0].due if self._heap else FOREVER
        bound = self._bounds[0][0] if self._bounds else FOREVER
        self.next_at = min(heap, bound)
