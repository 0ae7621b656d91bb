from sidecar.stores.consul.progress import Progress


def test_what_was_seen_before_a_write_ended_is_void() -> None:
    progress = Progress()
    before = progress.now()
    assert progress.is_settled("a", before)
    with progress.on(["a"]):
        assert not progress.is_settled("a", before)
        during = progress.now()
    assert not progress.is_settled("a", before)
    assert not progress.is_settled("a", during)
    assert progress.is_settled("a", progress.now())
    assert progress.is_settled("b", before)


def test_two_writes_of_one_entry_are_both_waited_for() -> None:
    progress = Progress()
    with progress.on(["a"]):
        with progress.on(["a"]):
            pass
        assert not progress.is_settled("a", progress.now())
    assert progress.is_settled("a", progress.now())


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    progress = Progress()
    with progress.on(["a"]):
        pass
    first = progress.now()
    with progress.on(["b"]):
        pass
    progress.forget(first)
    assert progress.is_settled("a", 0)
    assert not progress.is_settled("b", first)
