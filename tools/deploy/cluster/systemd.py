"""systemd: what machines need where systemd runs the nodes."""

import os

from .failures import Failure

# %i is the node's name. The program is a link, so that a node that has become the primary is
# started as one by changing the link, not the unit.
_UNIT = """\
[Unit]
Description=Tidemark node %i
Documentation=file:///usr/share/doc/tidemark/deployment.md
After=network-online.target
Wants=network-online.target
ConditionPathExists=/etc/tidemark/%i/node.toml

[Service]
# The program does not speak sd_notify: "active" means that it runs, its ready line in the journal
# that it serves.
Type=exec
User=tidemark
Group=tidemark
ExecStart=/etc/tidemark/%i/program --config=/etc/tidemark/%i/node.toml
# 64: settings that are wrong will be wrong again.
Restart=on-failure
RestartSec=1
RestartPreventExitStatus=64
# A clean stop may have a snapshot to write.
TimeoutStopSec={stop_timeout_s}
# maxclients and as many files again.
LimitNOFILE=65536
StateDirectory=tidemark
StateDirectoryMode=0750
UMask=0077

CapabilityBoundingSet=
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

_DROP_IN = """\
# The only place outside /var/lib/tidemark that node {name} writes to.
[Service]
ReadWritePaths={data_dir}
"""

_STEPS = """\
On the machine of each node NAME, as root:

  useradd --system --home-dir=/var/lib/tidemark --shell=/usr/sbin/nologin tidemark
  install -d /usr/lib/tidemark
  install PACKAGE/primary PACKAGE/replica PACKAGE/tidectl /usr/lib/tidemark/
  install -m 644 tidemark@.service /etc/systemd/system/
  # If there is one; and make its directory, owned by tidemark:
  cp -r tidemark@NAME.service.d /etc/systemd/system/
  install -d -m 750 -g tidemark /etc/tidemark/NAME
  install -m 640 -g tidemark NAME/node.toml /etc/tidemark/NAME/
  ln -sfn /usr/lib/tidemark/$(cat NAME/role) /etc/tidemark/NAME/program
  systemctl daemon-reload
  systemctl enable --now tidemark@NAME

Roles that change at run time outlive no restart: after a failover, write node.toml and the link of
both nodes anew.
"""


def write(running, folder):
    """Writes them below `folder`. Roles are those of now, or of the last change if no node runs."""
    cluster = running.file
    primary = next((name for name, view in running.views().items() if view.role == "primary"), None)
    primary = primary or running.record.read() or cluster.first_primary().name
    try:
        _put(folder, "tidemark@.service", _UNIT.format(stop_timeout_s=cluster.stop_timeout_s))
        _put(folder, "INSTALL", _STEPS)
        for node in cluster.nodes:
            role = "primary" if node.name == primary else "replica"
            settings = running.settings_text(node.name, role, primary)
            _put(folder, f"{node.name}/node.toml", settings, 0o600)
            _put(folder, f"{node.name}/role", role + "\n")
            if node.data_dir and not node.data_dir.startswith("/var/lib/tidemark/"):
                drop_in = _DROP_IN.format(name=node.name, data_dir=node.data_dir)
                _put(folder, f"tidemark@{node.name}.service.d/data_dir.conf", drop_in)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from error
    running.say(
        f"{folder}: a unit and {len(cluster.nodes)} nodes' settings; INSTALL says how to use them"
    )


def _put(folder, name, text, mode=0o644):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # From the beginning with these permissions: a settings file may hold passwords.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
