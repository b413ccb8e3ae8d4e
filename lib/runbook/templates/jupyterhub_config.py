# << header >>
# Reads every fragment of jupyterhub_config.d, in the order of their names; each stage of the
# runbook keeps one. Your own settings belong in jupyterhub_config.d/99-local.py.
from pathlib import Path

c = get_config()  # noqa: F821
for _path in sorted(Path(<< (config_dir ~ "/jupyterhub_config.d")|py >>).glob("*.py")):
    if _path.name.startswith("."):
        continue  # an editor's, or half written
    exec(compile(_path.read_text(), str(_path), "exec"), {"c": c, "__file__": str(_path)})
