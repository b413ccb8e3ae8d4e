"""The kinds of things on a machine that the runbook brings about, a module each."""

from runbook.resources.account import Group, Membership, User
from runbook.resources.base import Change, Resource
from runbook.resources.certificate import Certificate
from runbook.resources.file import File, Link, Permissions
from runbook.resources.folder import Directory, with_parents
from runbook.resources.node import NodeRuntime, NpmProject
from runbook.resources.package import AptPackage
from runbook.resources.python_env import PythonEnvironment
from runbook.resources.secret_file import SecretFile
from runbook.resources.service import Program
from runbook.resources.state import StateDirectory, StateFile
from runbook.resources.supervisor import BootLinks, Supervisor
from runbook.resources.systemd import SystemdService
from runbook.resources.tree import ProgramTree

__all__ = [
    "AptPackage",
    "BootLinks",
    "Certificate",
    "Change",
    "Directory",
    "File",
    "Group",
    "Link",
    "Membership",
    "NodeRuntime",
    "NpmProject",
    "Permissions",
    "Program",
    "ProgramTree",
    "PythonEnvironment",
    "Resource",
    "SecretFile",
    "StateDirectory",
    "StateFile",
    "Supervisor",
    "SystemdService",
    "User",
    "with_parents",
]
