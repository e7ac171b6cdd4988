"""A worker whose driver only counts, and the tests' end of its pipe.

The driver keeps one row per partition and topic: the next offset, how many records it saw and a digest over
all of them in order. Row and position are one value, so whatever a kill leaves behind, a record that was
counted twice, left out or seen out of order shows in the digest.
"""

import asyncio
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from streams.live.app import App, create_app, run_worker

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def digest(before, records):
    """Chain records onto a digest: the same records in the same order give the same digest."""
    for record in records:
        step = [before, record.offset, (record.key or b"").hex(), (record.value or b"").hex()]
        before = hashlib.sha256(json.dumps(step).encode()).hexdigest()
    return before


class CountingDriver:
    """Counts the records of each partition in one task; obeys lines on stdin, tells lines on stdout."""

    def __init__(self, app: App, options: dict) -> None:
        self.app, self.options = app, options
        self.inboxes, self.tasks = {}, {}
        self.stopped_at = {}  # partition -> offset beyond which nothing is accepted
        app.on_run, app.after_recovery, app.before_revoke = (
            self.on_run,
            self.after_recovery,
            self.before_revoke,
        )
        if options.get("stops_after_its_thread"):
            app.at_stop = self.the_thread_s_end

    def tell(self, what, **more):
        print(json.dumps({"what": what, **more}), flush=True)

    def state(self, topic, partition):
        row = self.app.rows.partition(partition).get(topic.encode())
        start = self.options.get("start", {}).get(topic, 0)
        return json.loads(row) if row else {"next": start, "count": 0, "digest": ""}

    async def after_recovery(self, partitions):
        self.tell("recovered", partitions=sorted(partitions))
        if self.options.pop("first_recovery_hangs", False):
            await asyncio.Event().wait()
        if self.options.get("break") == "after_recovery":
            raise RuntimeError("broken on purpose: after_recovery")
        for number in partitions:
            self.inboxes[number] = asyncio.Queue()
            self.tasks[number] = asyncio.create_task(self.work(number))
        rows = {
            p: {k.decode(): v.decode() for k, v in self.app.rows.partition(p).items()} for p in partitions
        }
        await self.app.consumer.open_at(
            {(topic, p): self.state(topic, p)["next"] for p in partitions for topic in self.app.batch_topics}
        )
        self.tell("open", partitions=sorted(partitions), rows=rows)

    async def the_thread_s_end(self):
        while not self.app.consumer._thread.thread_loop.is_closed():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    async def before_revoke(self, partitions):
        if self.options.get("break") == "before_revoke":
            raise RuntimeError("broken on purpose: before_revoke")
        if self.options.get("break") == "hanging before_revoke":
            await asyncio.Event().wait()
        if self.options.get("break") == "blocking before_revoke":
            time.sleep(PATIENCE_S)  # noqa: ASYNC251
        while self.options.get("rests_until_a_rebalance") and not self.app.rebalancing:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if self.options.get("break") == "hanging commit":  # as while the broker is away
            self.app.consumer._commit_fut = asyncio.Future()
        for number in partitions:
            if task := self.tasks.pop(number, None):
                task.cancel()
        self.tell("revoked", partitions=sorted(partitions))

    async def on_run(self, run):
        if self.options.get("break") == "on_run":
            raise RuntimeError("broken on purpose: on_run")
        self.tell("run", topic=run.topic, partition=run.partition, start=run.start, end=run.end)
        self.inboxes[run.partition].put_nowait(run)

    async def work(self, number):
        try:
            while True:
                run = await self.inboxes[number].get()
                state = self.state(run.topic, number)
                assert state["next"] == run.start, (state, run)
                records = list(run)
                after = {
                    "next": run.end,
                    "count": state["count"] + len(records),
                    "digest": digest(state["digest"], records),
                }
                await self.app.rows.write(number, [(run.topic.encode(), json.dumps(after).encode())])
                if run.end <= self.stopped_at.get(number, run.end):
                    self.app.consumer.accepted((run.topic, number), run.end)
                self.tell("counted", topic=run.topic, partition=number, **after)
        except Exception as error:
            await self.app.halt(error)
            raise

    async def obey(self, order):
        tps = [(topic, order.get("partition")) for topic in self.app.batch_topics]
        match order["do"]:
            case "hold":
                for tp in tps:
                    self.app.consumer.hold(tp)
            case "release":
                for tp in tps:
                    self.app.consumer.release(tp)
            case "stop_accepting":
                self.stopped_at[order["partition"]] = 0
            case "write":
                changes = [(k.encode(), v if v is None else v.encode()) for k, v in order["rows"]]
                await self.app.rows.write(order["partition"], changes)
            case "store":
                self.tell("store", partitions=sorted(self.app.rows.data.partitions))
                return
        self.tell("done", order=order["do"])

    def listen(self):
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(self.obey(json.loads(line)), self.app.loop).result(PATIENCE_S)


def drop_on_the_way(app, count):
    """Drop so many runs between fetch and agent, as Faust does while its flow is stopped: nobody is told."""
    deliver = app.deliver

    async def dropping(run):
        nonlocal count
        if count:
            count -= 1
        else:
            await deliver(run)

    app.deliver = dropping


def main(options):
    """Run one worker as the options say."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    session_s = options.get("session", 6.0)
    app = create_app(options["group"], options["bootstrap"], options["prefix"], session_s=session_s)
    driver = CountingDriver(app, options)
    drop_on_the_way(app, options.get("drop", 0))
    threading.Thread(target=driver.listen, daemon=True).start()
    return run_worker(app)


class Worker:
    """A worker in a process of its own; what it tells is kept in `told`."""

    def __init__(self, log: Path, *, environment=(), **options) -> None:
        self.told, self.log = [], log
        self._news = threading.Condition()
        self._stderr = log.open("w")
        command = [sys.executable, __file__, json.dumps(options)]
        environment = {**_environment(), **dict(environment)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._stderr}
        self.process = subprocess.Popen(command, text=True, cwd=ROOT, env=environment, **pipes)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.told.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self.told.append({"what": "ended"})
            self._news.notify_all()

    def wait(self, condition, seconds=PATIENCE_S):
        """Wait until `condition(told)` is true and return its value; fail with the worker's log."""
        with self._news:
            self._news.wait_for(lambda: condition(self.told) or self.ended(), seconds)
            found = condition(self.told)
        assert found, f"waited in vain; last told {self.told[-3:]}, log:\n{self.log.read_text()[-6000:]}"
        return found

    def ended(self):
        return bool(self.told) and self.told[-1]["what"] == "ended"

    def wait_open(self, partitions=None, opening=1):
        """Wait for the `opening`-th time that partitions were opened (with exactly these, if given)."""

        def found(told):
            opens = [line for line in told if line["what"] == "open"]
            fits = [line for line in opens if partitions is None or line["partitions"] == sorted(partitions)]
            return fits[opening - 1] if len(fits) >= opening else None

        return self.wait(found)

    def order(self, do, **more):
        """Tell the worker to do something and wait until it says that it did."""
        before = len(self.told)
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()
        answer = {"what": "done", "order": do}
        return self.wait(
            lambda told: next(
                (line for line in told[before:] if line["what"] == "store" or line == answer), None
            )
        )

    def counted(self):
        """Return the newest count of each topic and partition."""
        return {
            (line["topic"], line["partition"]): line for line in list(self.told) if line["what"] == "counted"
        }

    def stop(self, seconds=PATIENCE_S):
        """Stop it as an operator would and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.join(seconds)

    def join(self, seconds=PATIENCE_S):
        """Wait for its end and return its exit code."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def kill(self):
        """Kill it as a power cut would."""
        self.process.kill()
        return self.join()

    def close(self):
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self._stderr):
            pipe.close()


def _environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
