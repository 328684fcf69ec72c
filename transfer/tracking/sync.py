"""Send what was left behind."""

from transfer.progress import Progress
from transfer.tracking.delivery import Delivery
from transfer.tracking.events import Finished
from transfer.tracking.record import Record, records_in
from transfer.tracking.store import Store


def sync(store: Store, progress: Progress) -> int:
    """Deliver what earlier runs left, and return how many; runs under way are left alone.

    A run whose process was killed ends as KILLED, at the time of the last thing it said. Its record
    stays while there are checkpoints to continue it from, and so does that of one that failed.

    Raises:
        OutputError: the folder of the store cannot be written to.
        StoreError: the store does not answer; what it has not got stays.
    """
    records = records_in(store.records)
    own = [(record, first) for record, first in records if first.destination == store.destination]
    if others := sorted({first.destination for _, first in records} - {store.destination}):
        progress.warn(
            f"{len(records) - len(own)} run(s) meant for {' and '.join(others)} stay; "
            "choose that store to send them"
        )
    delivered = 0
    with progress.step("sending runs", len(own), "runs") as step:
        for record, first in own:
            if record.lock():
                delivered += _deliver(store, record, progress)
            step.advance(note=first.run.name)
    return delivered


def _deliver(store: Store, record: Record, progress: Progress) -> bool:
    """Send one record, which is locked; False where nothing of it was left to send."""
    try:
        events = [event for event, _ in record.events()]
        if not events:  # its own process was faster
            return False
        record.mend()
        if record.status is None:
            record.append(Finished(status="KILLED", time=events[-1].time))
        delivery, sent = Delivery(store, record, progress.warn), False
        while delivery.advance():
            sent = True
        delivery.close()
        return sent
    finally:
        record.unlock()
