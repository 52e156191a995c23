"""Predict off the event loop, one prediction at a time; requests that wait share the next one.

A prediction costs nearly the same for one row as for ten (pandas and scikit-learn spend it on overhead), so merging
is what keeps many clients fast. Clients that were just answered tend to ask again at once: the next prediction gives
as many as were last seen a moment to arrive, never longer than a prediction takes. A lone client never waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from open_inference.failure import RequestError, unavailable

if TYPE_CHECKING:
    from open_inference.answer import Answer
    from open_inference.infer_request import InferRequest
    from open_inference.model import Model


_MAX_PATIENCE_S = 0.005
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: InferRequest
    answer: asyncio.Future[Answer]
    goes_alone: bool


class Predictor:
    """Feeds one model from many requests. Belongs to one event loop.

    Args:
        max_rows: rows that one merged prediction holds at most; a larger request goes alone.
        max_waiting: requests that may wait; more are refused with 503.
    """

    def __init__(self, model: Model, *, max_rows: int, max_waiting: int) -> None:
        self._model = model
        self._max_rows = max_rows
        self._max_waiting = max_waiting
        self._queue: deque[_Waiting] = deque()
        self._is_busy = False
        self._expected = 1
        self._patience_s = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")

    async def predict(self, request: InferRequest) -> Answer:
        """The model's answer to one request.

        Raises:
            RequestError: 503 when too many requests wait already, 500 when the model fails.
        """
        if len(self._queue) >= self._max_waiting:
            raise unavailable(f"{len(self._queue)} requests are waiting already")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future(), not self._model.may_merge)
        self._queue.append(waiting)
        self._consider(loop)
        return await waiting.answer

    def _consider(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a prediction, or give the others a moment."""
        if self._is_busy or not self._queue:
            return
        if len(self._queue) >= self._expected:
            self._start(loop)
        elif self._alarm is None:
            self._alarm = loop.call_later(self._patience_s, self._start, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._is_busy = True
        batch = self._take()
        begun = loop.time()
        running = self._thread.submit(_predict, self._model, [waiting.request for waiting in batch])
        running.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, loop, batch, done, begun))

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        rows = 0
        while self._queue and (not batch or self._may_join(batch[0], self._queue[0], rows)):
            batch.append(self._queue.popleft())
            rows += batch[-1].request.rows
        return batch

    def _may_join(self, first: _Waiting, other: _Waiting, rows: int) -> bool:
        return (
            not (first.goes_alone or other.goes_alone)
            and rows + other.request.rows <= self._max_rows
            and first.request.columns.keys() == other.request.columns.keys()
            and first.request.parameters == other.request.parameters
        )

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: Sequence[_Waiting],
        done: Future[list[Answer]],
        begun: float,
    ) -> None:
        self._is_busy = False
        self._patience_s = min(loop.time() - begun, _MAX_PATIENCE_S)
        self._expected = len(batch) + len(self._queue) if self._model.may_merge else 1
        error = done.exception()
        if error is None:
            for waiting, answer in zip(batch, done.result(), strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)
        elif len(batch) > 1:
            # One request's rows may break the prediction: the others must not pay for it.
            self._queue.extendleft(replace(waiting, goes_alone=True) for waiting in reversed(batch))
        else:
            _refuse(batch[0], error)
        self._consider(loop)


def _refuse(waiting: _Waiting, error: BaseException) -> None:
    _log.error("the model failed", exc_info=error)
    if not waiting.answer.done():
        waiting.answer.set_exception(RequestError(500, f"the model failed: {type(error).__name__}: {error}"))


def _predict(model: Model, requests: Sequence[InferRequest]) -> list[Answer]:
    first = requests[0]
    if len(requests) == 1:
        return [model.predict(first.columns, first.parameters)]
    answer = model.predict(_merge(requests), first.parameters)
    ends = list(accumulate(request.rows for request in requests))
    if answer.rows != ends[-1]:
        raise ValueError(f"the model answered {ends[-1]} rows with {answer.rows}")
    return [answer.cut(end - request.rows, end) for request, end in zip(requests, ends, strict=True)]


def _merge(requests: Sequence[InferRequest]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.concatenate([request.columns[name] for request in requests]) for name in requests[0].columns}
