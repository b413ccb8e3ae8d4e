# << header >>
# The hub is not root: it starts servers through sudo, which allows it this one command.
c.JupyterHub.spawner_class = "sudospawner.SudoSpawner"
c.SudoSpawner.sudospawner_path = << mediator|py >>
