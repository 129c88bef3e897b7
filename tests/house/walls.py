"""All walls of the house by name: functions from a root folder to the breaches below it."""

from collections.abc import Callable, Iterator
from pathlib import Path

from house import import_walls, money_walls, shape_walls, text_walls
from house.tree import Breach

_MODULES = (import_walls, money_walls, shape_walls, text_walls)

WALLS: dict[str, Callable[[Path], Iterator[Breach]]] = {
    name: wall
    for module in _MODULES
    for name, wall in vars(module).items()
    if callable(wall)
    and not name.startswith("_")
    and getattr(wall, "__module__", "") == module.__name__
}
