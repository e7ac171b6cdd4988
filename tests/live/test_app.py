"""The settings of a worker's Faust app."""

import pytest

from streams.live.app import create_app


@pytest.mark.parametrize("session_s", [6.0, 30.0, 31.0, 600.0])
def test_a_request_may_take_longer_than_a_session_or_faust_would_refuse_to_start(session_s):
    app = create_app("group", "127.0.0.1:9", session_s=session_s)
    assert app.conf.broker_request_timeout > app.conf.broker_session_timeout == session_s
