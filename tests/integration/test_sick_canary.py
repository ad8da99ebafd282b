"""The one promise above all: a sick canary never hurts a user. Real origins, harmed and healed under load."""
import contextlib

from scenario import Scenario


def test_checked_canary_dies_and_comes_back(bench):
    with contextlib.closing(Scenario(bench)) as scenario:
        a, b, c = scenario.canaries
        stable, crowd = scenario.stables[0], scenario.crowd
        scenario.start()
        # One after another, in every way there is, down to none. Stable loses one, too.
        scenario.harm(a, "killed")
        crowd.wait_all_have_seen_canary()
        scenario.harm(b, "stopped")
        crowd.wait_all_have_seen_canary()
        scenario.slow(c)
        scenario.harm(c, "reset")
        crowd.expect_canary(seen=False)
        scenario.harm(stable, "killed")
        crowd.expect_canary(seen=False)
        # And back: the pins have held.
        for pod in (a, stable, c, b):
            scenario.heal(pod)
            crowd.wait_all_have_seen_canary()
        scenario.end()


def test_unchecked_canary_dies_and_comes_back(bench):
    """Only the users' own requests tell, and none of them is harmed by finding out."""
    with contextlib.closing(Scenario(bench, canaries=2, checked=False)) as scenario:
        a, b = scenario.canaries
        crowd = scenario.crowd
        scenario.start()
        for first, second in (("stopped", "killed"), ("killed", "reset")):
            scenario.harm(a, first)
            crowd.wait_all_have_asked()
            scenario.harm(b, second)
            crowd.expect_canary(seen=False)
            scenario.heal(b)
            crowd.wait_all_have_seen_canary()
            scenario.heal(a)
            crowd.wait_all_have_seen_canary()
        scenario.end()
