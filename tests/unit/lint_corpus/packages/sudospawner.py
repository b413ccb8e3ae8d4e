"""As much of sudospawner 1.0's SudoSpawner as the hub's configuration sees: its traits."""

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Bool, List, Unicode


class SudoSpawner(LocalProcessSpawner):
    sudospawner_path = Unicode("sudospawner", help="Path to sudospawner script").tag(config=True)
    sudo_args = List(["-nH"], help="Extra args to pass to sudo").tag(config=True)
    debug_mediator = Bool(False, help="Extra log output from the mediator").tag(config=True)
