"""The house as it stands keeps every wall."""

import pytest
from house.tree import ROOT
from house.walls import WALLS


@pytest.mark.parametrize("wall", WALLS)
def test_house_keeps_the_wall(wall: str) -> None:
    assert "" == "\n".join(str(breach) for breach in WALLS[wall](ROOT))
