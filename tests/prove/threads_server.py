"""A server with a planted bug: whoever waits keeps the thread of his request."""

import time
from typing import Any

from app.core.door import OFFER, Door
from app.factory import create_app

application = create_app()


def _kept(environ: dict[str, Any], start: Any) -> Any:
    answer = application(environ, start)
    offer = environ.get(OFFER)
    while offer and offer.waiter and not offer.waiter.is_woken:
        time.sleep(0.05)
    return answer


app = Door(_kept, threads=256)
