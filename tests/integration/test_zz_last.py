"""What takes minutes and goes by beside the other tests; runs last."""

import pytest

from faults import TAKES

AUTH = 76


@pytest.mark.soak
@pytest.mark.only_soak
def test_Q2_five_minutes_of_401_end_with_76(refused_for_long):
    platform, worker = refused_for_long
    assert worker.exit_code(330) == AUTH
    assert platform.key not in worker.text()
    takes = platform.seen(*TAKES)
    assert 8 <= len(takes) <= 60, f"{len(takes)} takes in five minutes"
    assert max(platform.gaps("ping")) <= 2.5                # the machine was full of other tests meanwhile
