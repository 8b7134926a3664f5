"""What every stage of a run is: options, a folder, a result with a fingerprint, checks before the work."""

from abc import ABC, abstractmethod
from pathlib import Path

from ..common import files
from ..common.optional import Package
from ..common.progress import AnyProgressLike
from ..common.types import JSON
from ..selection.selection import MANIFEST
from .config import STAGES, Config
from .state import State, fingerprint


class Stage(ABC):
    """One stage of a run; a class says what differs between stages in the methods with an underscore.

    Attributes:
        name: its key in the file, and its folder in that of the run.
        needs: stages whose results it uses.
        last: the file that is written last, so where it is the result is whole.

    """

    name: str
    needs: tuple[str, ...] = ()
    last: str = MANIFEST

    def __init__(self, config: Config, state: State) -> None:
        self.config, self.state = config, state
        self.options = config.stages[self.name]
        self.folder = self._folder()
        self.result = self.folder / self.last

    def key(self) -> str:
        """Return the fingerprint of options and inputs; all stages before must be done."""
        return fingerprint(**self._inputs(), **self.options)

    def is_done(self) -> bool:
        """Return whether the result is there and is that of these options and inputs."""
        return self.state.is_done(self.name, self.key())

    def packages(self) -> tuple[Package, ...]:
        """Return the optional packages that its options need."""
        return STAGES[self.name].made(self.options).packages()

    def check(self) -> None:
        """Raise for what would stop this stage and can be told before any other runs."""
        files.check_writable(self.folder)

    def check_rows(self) -> None:  # noqa: B027
        """Raise for what would stop this stage and can be told once the rows are there."""

    def _folder(self) -> Path:
        """Return what the stage writes into."""
        return self.config.out / self.name

    @abstractmethod
    def _inputs(self) -> JSON:
        """Return what the stage is made of beside its options: hashes, as far as it can be hashed."""

    @abstractmethod
    def do(self, *, overwrite: bool, progress: AnyProgressLike) -> None:
        """Make the result. overwrite: replace one of other options or inputs."""
