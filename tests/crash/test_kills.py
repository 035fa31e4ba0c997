"""Random SIGKILLs under load, many. The seed is in the name; --seed and --kills choose others."""
import random
import signal
import subprocess

import pytest

KILLS_A_WORLD = 50


def pytest_generate_tests(metafunc):
    if "seed" not in metafunc.fixturenames:
        return
    kills, first = metafunc.config.option.kills, metafunc.config.option.seed
    worlds = [(first + i, min(KILLS_A_WORLD, kills - i * KILLS_A_WORLD))
              for i in range((kills + KILLS_A_WORLD - 1) // KILLS_A_WORLD)]
    metafunc.parametrize("seed,kills", worlds, ids=[f"seed{seed}" for seed, _ in worlds])


def await_moment(world, rng):
    """Until the life has lasted as long as the dice say: some die while they start or stop."""
    dice = rng.random()
    process = world.service.process
    if dice < 0.8:
        world.wait_events(rng.randrange(1, 80))
    if dice > 0.9:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=rng.uniform(0, 0.004))
    except subprocess.TimeoutExpired:
        pass


def start_and_kill(world, rng):
    """A kill somewhere on the way to being ready."""
    process = world.begin()
    try:
        process.wait(timeout=rng.uniform(0, 0.1))
    except subprocess.TimeoutExpired:
        pass
    world.kill()


@pytest.mark.threads
def test_kills_under_load_lose_nothing(make_world, seed, kills):
    rng = random.Random(seed)
    world = make_world(seed)
    assert world.start()
    world.make_hooks()
    world.stop()
    for number in range(kills):
        if rng.random() < 0.15:
            start_and_kill(world, rng)
        else:
            assert world.start(), world.service.logged()[-3000:]
            world.feed(3)
            await_moment(world, rng)
            world.kill_now()
        world.audit(with_fsck=number % 5 == 0)
    ledger = world.finish()
    assert ledger["delivered"] > kills
