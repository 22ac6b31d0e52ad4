complete -c ulvs-run -l socket -r -d "the socket for IPVS of ulvsd"
complete -c ulvs-run -l proc -r -d "the folder of its sockets for /proc/net/ip_vs*"
complete -c ulvs-run -l help -d "tells how it is used"
complete -c ulvs-run -l version -d "tells its version"
complete -c ulvs-run -x -a '(__fish_complete_subcommand)'
