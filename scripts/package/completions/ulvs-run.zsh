#compdef ulvs-run
_arguments -S \
    '--socket[the socket for IPVS of ulvsd]:socket:_files' \
    '--proc[the folder of its sockets for /proc/net/ip_vs*]:folder:_files -/' \
    '(- *)--help[tells how it is used]' \
    '(- *)--version[tells its version]' \
    '(-):command:_command_names -e' \
    '*::argument:_normal'
