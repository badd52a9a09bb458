"""tidecluster: brings clusters up, keeps them up to date, and moves the primary.

From low to high; a module uses those above it in this list:

    failures        how a command ends without success
    toml_places     on which line of a TOML text a key stands
    model           what a cluster file says, as values
    checks          what a value of the cluster file must be
    cluster_file    reads the file, and adds nodes to it
    settings_file   the node.toml that a node is started with
    hosts           runs a command on this machine or over ssh
    agent.sh        what runs there
    processes       a node's process, through the agent
    packages        the programs, by what is in them
    resp            a small client
    nodes           what nodes say of themselves
    primary_record  who was made primary last
    decisions       who is started as what, who is the best replica; no I/O
    running         all of the above, for one cluster: what the commands share
    starting, stopping, status, rolling, failover, adding, systemd: the commands
    command_line    the words, and the exit status
"""
