<< owned_port >>

# The hub is not root: it starts servers through sudo, which allows it this one command.
c.JupyterHub.spawner_class = SudoSpawner
c.SudoSpawner.sudospawner_path = << mediator|py >>
# For so long, at the most, a server that has ended keeps its route, and with it the person's
# browser may meet whoever binds its port next. A look at a server takes a millisecond or so.
c.SudoSpawner.poll_interval = << poll_interval >>
