"""Places for downloads, one merchant's in one process."""

import threading

from merchants import downloads


def test_a_download_that_ends_while_its_thread_takes_a_place_stops_nobody():
    """Garbage is collected wherever memory is asked for, also within the lock."""
    held = downloads._Held(iter(()), "mer_1")
    downloads._take_place("mer_1")

    def end():
        with downloads._lock:
            held.__del__()

    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    ending.join(30)
    assert not ending.is_alive()
    assert "mer_1" not in downloads._under_way
