"""Have an image on a node, as ``pull_policy`` says.

How old an image is is asked of its engine: when it got its name last. Pulling one that is the
newest already does not change that, so it is given its name again.
"""

from sidecar.errors import EngineRefused, PinnaceError
from sidecar.runtime.log import get_logger
from sidecar.scheduler.nodes.link import Link
from sidecar.scheduler.nodes.reading import wall_of
from sidecar.scheduler.recipe import EVERY, Recipe

__all__ = ["have_image"]

_log = get_logger("scheduler")


async def have_image(link: Link, recipe: Recipe) -> None:
    """Pull the image of a recipe if that is due. Raises PinnaceError."""
    ask, image, policy = link.operations, recipe.build.image, recipe.care.pull
    named = await ask.image_named(image)
    if named is not None and not _is_due(policy, image, link.wall() - wall_of(named)):
        return
    if policy == "never":
        raise EngineRefused(f"the image {image} is not on {link.name}")
    _log.info("pulling", node=link.name, image=image)
    try:
        await ask.pull(image, platform=recipe.build.platform)
    except PinnaceError as error:
        if named is None or policy == "always":
            raise
        _log.warning("an old image is used", node=link.name, image=image, reason=error)
        return
    if policy.startswith(EVERY):
        await ask.name_again(image)


def _is_due(policy: str, image: str, age: float) -> bool:
    if policy.startswith(EVERY):  # what a digest names never changes
        return "@" not in image and age >= float(policy.removeprefix(EVERY))
    return policy == "always"
