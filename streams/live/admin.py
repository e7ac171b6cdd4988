"""A connection for administration: what a broker answers, and what is said where it refuses."""

from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from schemas import topics
from schemas.errors import OperatorError, TransportError
from streams.live.access import Where, access_of
from streams.live.remedies import called, no_answer, not_allowed, why_silent

REQUEST_S = 5
"""How long one question to the broker may take; a healthy one answers in milliseconds."""

NOT_ALLOWED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


class Admin(AdminClient):  # type: ignore[misc]
    """A client of confluent-kafka, silent: what goes wrong is said once, by the error that follows.

    Args:
        bootstrap: The broker.

    Raises:
        OperatorError: it would be plaintext beyond this machine.
        TransportError: nobody listens.
    """

    def __init__(self, bootstrap: Where) -> None:
        self.bootstrap = bootstrap
        self._last: KafkaError | None = None
        settings = access_of(bootstrap).confluent()
        if why_silent(bootstrap) is not None:  # librdkafka would try for seconds, and not say why
            raise TransportError(no_answer(bootstrap, "it is gone again"))
        super().__init__(
            {**settings, "log_level": 0, "client.id": "nameplate-admin", "error_cb": self._remember}
        )

    def _remember(self, error: KafkaError) -> None:
        if self._last is None or error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._last = error

    def answer(self, future: "Future[Any]", *fine: int, of: str = "") -> Any:
        """Return what the broker answers `of` something, None where it is an error that is fine."""
        try:
            return future.result()
        except KafkaException as error:
            if error.args[0].code() in fine:
                return None
            raise self.said_no(error, of) from error

    def said_no(self, error: KafkaException, of: str = "") -> OperatorError | TransportError:
        """Return the error for what the broker, or the library on its behalf, refused."""
        cause = error.args[0]
        if cause.code() < 0:  # librdkafka's own: nobody was reached, and why not, it told the callback
            self.poll(0)
            why = self._last or cause
            return TransportError(no_answer(self.bootstrap, f"not within {REQUEST_S} s: {why.str()}"))
        if cause.code() in NOT_ALLOWED:
            what = (
                f"nobody allowed us {of}" if of else KafkaError(cause.code()).str().removeprefix("Broker: ")
            )
            return OperatorError(not_allowed(what, self.bootstrap))
        if cause.code() == KafkaError.SECURITY_DISABLED:
            return OperatorError(
                f"The broker at {self.bootstrap} has no authorizer: everybody may do everything, and rights would "
                "change nothing. Set its authorizer.class.name, and allow.everyone.if.no.acl.found=false, then run the "
                "command again."
            )
        return OperatorError(
            f"The broker at {self.bootstrap} refused: {cause.str()}. See what is asked of it with "
            f"{called('topics plan', self.bootstrap, topics.DEFAULT_PREFIX)}."
        )
