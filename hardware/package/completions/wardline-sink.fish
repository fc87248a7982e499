# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wardline_sink_global_optspecs
    string join \n h/help V/version
end

function __fish_wardline_sink_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wardline_sink_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wardline_sink_using_subcommand
    set -l cmd (__fish_wardline_sink_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -s V -l version -d 'Print version'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "init" -d 'Makes CA, keys, keyring, store and the broker\'s configuration for a new site'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "enroll" -d 'Answers a gateway\'s request: certificate, roots and keyring'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "run" -d 'Receives, verifies, stores and signs until it is stopped'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "status" -d 'Shows the ledger: what is present, double, missing, linked, forked, held, refused'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "incidents" -d 'Shows what needs a person and what to do; takes an incident or closes it'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "link" -d 'Makes a link to the page that lets one person in, once, within ten minutes'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "export" -d 'Writes a device\'s readings into files'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "completions" -d 'Prints completions for a shell'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "man" -d 'Writes the manual, one page a command'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l folder -d 'Folder to make it in' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l broker-host -d 'Name or address of the broker, as gateways reach it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l broker-port -d 'The broker\'s port' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l view-listen -d 'Where the page listens; loopback only' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l name -d 'This sink\'s name' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l output -d 'Where to write the grant' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l new-key -d 'Takes another key of a gateway that is enrolled: it lost its own. What the old key signed stays valid'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand run" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand run" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand status" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand status" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand status" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -l take -d 'Takes the incident, in this person\'s name' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -l close -d 'Closes the incident, in this person\'s name' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -l note -d 'What the person says about it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -l all -d 'Closed ones, too'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l name -d 'Whom it is for: the name that stands in timelines' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l role -d 'What they may do' -r -f -a "viewer\t'Sees the line, no patient data; changes nothing'
engineer\t'Takes and closes incidents, too'
auditor\t'Sees the line and who did what; changes nothing'
admin\t'Everything'"
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l format -d 'Format of the files' -r -f -a "csv\t'One file a signal'"
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l device -d 'The device\'s EUI-64, 16 hexadecimal digits' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l out -d 'Folder to write into' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand completions" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand man" -l out -d 'Folder to write into' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand man" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "init" -d 'Makes CA, keys, keyring, store and the broker\'s configuration for a new site'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "enroll" -d 'Answers a gateway\'s request: certificate, roots and keyring'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "run" -d 'Receives, verifies, stores and signs until it is stopped'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "status" -d 'Shows the ledger: what is present, double, missing, linked, forked, held, refused'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "incidents" -d 'Shows what needs a person and what to do; takes an incident or closes it'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "link" -d 'Makes a link to the page that lets one person in, once, within ten minutes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "export" -d 'Writes a device\'s readings into files'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "completions" -d 'Prints completions for a shell'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "man" -d 'Writes the manual, one page a command'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents link export completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
