"""Crashes of the real binary on a real file, with real receivers; after each the ledger is audited."""
import importlib.util
import os
import random
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def load_e2e():
    """The Service of the end-to-end tests; under another name, because this file is a conftest too."""
    path = os.path.join(os.path.dirname(HERE), "e2e", "conftest.py")
    sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))  # what it imports
    spec = importlib.util.spec_from_file_location("e2e", path)
    sys.modules["e2e"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["e2e"])


load_e2e()


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=200, help="how many random SIGKILLs (200)")
    parser.addoption("--seed", type=int, default=None, help="of the random kills; without it a fresh one")


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: worth running under ThreadSanitizer too")
    if config.option.seed is None:
        config.option.seed = random.SystemRandom().randrange(1 << 32)


def pytest_report_header(config):
    return f"crash: --kills {config.option.kills} --seed {config.option.seed}"


@pytest.fixture
def make_world(tmp_path):
    from bed import World
    made = []

    def make(seed=1, **kwargs):
        folder = tmp_path / f"world{len(made)}"
        folder.mkdir()
        made.append(World(folder, seed, **kwargs))
        return made[-1]
    yield make
    for world in made:
        world.close()
