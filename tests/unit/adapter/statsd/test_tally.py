from adapter.statsd.tally import Tally


def test_what_accounts_hold_is_added_when_somebody_looks() -> None:
    tally = Tally()
    mapped = tally.account("observer", "map", 10, has_tags=True, renamed=1)
    assert mapped is tally.account("observer", "map", 10, has_tags=True, renamed=1)
    mapped.taken = 3
    tally.account("counter", "", 1, has_tags=False, renamed=0).taken = 2
    tally.account("", "drop", 1, has_tags=False, renamed=0).taken = 4
    tally.account("gauge", "", 1, has_tags=False, renamed=0)
    for _ in range(2):
        tally.settle()
        assert tally.samples == 9
        assert tally.tags == 3
        assert tally.events == {"observer": 30, "counter": 2}
        assert tally.actions == {"map": 30, "drop": 4}
        assert tally.unmapped == 2
        assert tally.renamed == 30
        assert tally.lookups == tally.lookup_hits == 36


def test_names_that_senders_choose_are_counted_apart_only_so_far() -> None:
    tally = Tally()
    for n in range(150):
        tally.conflict("gauge", f"n{n}", 1)
        tally.overflow(f"n{n}", 2)
    tally.conflict("gauge", "n0", 1)
    assert len(tally.conflicts) == len(tally.overflows) == 101
    assert tally.conflicts["gauge", "n0"] == 2
    assert tally.conflicts["gauge", "(others)"] == 50
    assert tally.overflows["(others)"] == 100
