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
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "availability" -d 'Shows how much of a month gateways and their feeds were up, and how long readings took'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "link" -d 'Makes a link to the page that lets one person in, once, within ten minutes'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "account" -d 'Invites people, and changes or ends what they may do'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "gateway" -d 'Lists gateways, and says in which ward each stands'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "keys" -d 'Shows the site\'s keys, lets new ones follow, and destroys what nothing waits for'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "root" -d 'What the offline root keys sign: a new fleet key, recovery keys, other roots, a later end'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "device" -d 'Lists devices, and says what each is: UDI, serial number, model, maker, place'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "maintenance" -d 'Keeps notifications back while somebody works on gateways'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "notify" -d 'Sends a test message to every receiver of notifications'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "hold" -d 'Keeps what the rules of retention would dispose of'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "dispose" -d 'Disposes of what the rules of retention no longer keep'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "erase" -d 'Erases a patient\'s, a device\'s or a period\'s readings, with a signed proof'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "audit" -d 'Shows who did what, and checks that nothing of it was changed'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "export" -d 'Writes a device\'s readings into files'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "evidence" -d 'Writes one file about a device and time that anybody can check with public keys alone'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "feeds" -d 'Lists feeds to other systems: how far behind each is, what it gave and what was refused'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "import" -d 'Takes what is on a dead gateway\'s card: verified, stored, signed for'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "recover" -d 'Opens the evidence of a dead sink with the offline recovery keys, and stores it here'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "restored" -d 'After a store was put back from a backup: tells the gateways'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "migrate" -d 'Moves the store somewhere else'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "completions" -d 'Prints completions for a shell'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "man" -d 'Writes the manual, one page a command'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "schema" -d 'Prints the JSON Schema of the configuration, for editors'
complete -c wardline-sink -n "__fish_wardline_sink_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l folder -d 'Folder to make it in' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l broker-host -d 'Name or address of the broker, as gateways reach it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l broker-port -d 'The broker\'s port' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l view-listen -d 'Where the page listens; loopback only' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l store -d 'The store: a file in the folder, or an empty database, "postgres://user@localhost/name"' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -l name -d 'This sink\'s name' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand init" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l token -d 'Prints a token by which this gateway may enrol itself, once' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l batch -d 'The same for all gateways of a table: a line `gateway,ward` each; writes a file for each one\'s boot medium, and one for labels, into the folder of --output' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l ward -d 'The ward in which the gateway of --token will stand' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l days -d 'How long tokens are good, days' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand enroll" -l output -d 'Where to write the grant, or the folder of --batch' -r -F
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
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -l csv -d 'Work orders as comma-separated values, for a maintenance system'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand incidents" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand availability" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand availability" -l month -d 'The month, as 2026-11; this one without it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand availability" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand availability" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l name -d 'Whom it is for: the name that stands in timelines' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l role -d 'What they may do' -r -f -a "viewer\t'Sees the line, no patient data; changes nothing'
engineer\t'Takes and closes incidents, sees values'
auditor\t'Sees the line, who did what, and evidence; no values, changes nothing'
admin\t'Everything'"
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l ward -d 'The only ward whose gateways they see; all without' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand link" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "add" -d 'Invites somebody: prints a link that is good once, for three days. There they choose a password and take the secret of their codes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "reset" -d 'The same for somebody who has lost password or codes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "set" -d 'Gives another role or ward; whoever is signed in has to come in again'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "off" -d 'Switches an account off, and ends its sessions'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "on" -d 'Switches an account on, and opens its lock'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "out" -d 'Ends the sessions of a name, also of somebody who came by the hospital\'s sign-on'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "ls" -d 'Lists all accounts'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and not __fish_seen_subcommand_from add reset set off on out ls help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from add" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from add" -l role -d 'What they may do' -r -f -a "viewer\t'Sees the line, no patient data; changes nothing'
engineer\t'Takes and closes incidents, sees values'
auditor\t'Sees the line, who did what, and evidence; no values, changes nothing'
admin\t'Everything'"
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from add" -l ward -d 'The only ward whose gateways they see; all without' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from reset" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from set" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from set" -l role -d 'What they may do' -r -f -a "viewer\t'Sees the line, no patient data; changes nothing'
engineer\t'Takes and closes incidents, sees values'
auditor\t'Sees the line, who did what, and evidence; no values, changes nothing'
admin\t'Everything'"
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from set" -l ward -d 'The only ward whose gateways they see; all without' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from off" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from off" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from on" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from on" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from out" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from out" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "add" -d 'Invites somebody: prints a link that is good once, for three days. There they choose a password and take the secret of their codes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "reset" -d 'The same for somebody who has lost password or codes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "set" -d 'Gives another role or ward; whoever is signed in has to come in again'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "off" -d 'Switches an account off, and ends its sessions'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "on" -d 'Switches an account on, and opens its lock'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "out" -d 'Ends the sessions of a name, also of somebody who came by the hospital\'s sign-on'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists all accounts'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -f -a "ls" -d 'Lists all gateways'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -f -a "ward" -d 'Says in which ward a gateway stands; without a ward, in none'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -f -a "revoke" -d 'Revokes a gateway: what it sends from now on is held for a person, whatever its clock says'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -f -a "restore" -d 'Takes a revocation back: it was a mistake'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -f -a "release" -d 'Lets go what is held of a suspect speaker: it is verified and stored'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -f -a "replace" -d 'Puts one gateway in another\'s place: its ward and its devices move, the old one is revoked'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and not __fish_seen_subcommand_from ls ward revoke restore release replace help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from ward" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from ward" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -l reason -d 'Why: it stands in the incident and in the audit trail' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from restore" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from release" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from replace" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from replace" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists all gateways'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from help" -f -a "ward" -d 'Says in which ward a gateway stands; without a ward, in none'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'Revokes a gateway: what it sends from now on is held for a person, whatever its clock says'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Takes a revocation back: it was a mistake'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from help" -f -a "release" -d 'Lets go what is held of a suspect speaker: it is verified and stored'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from help" -f -a "replace" -d 'Puts one gateway in another\'s place: its ward and its devices move, the old one is revoked'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand gateway; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and not __fish_seen_subcommand_from ls rotate destroy certify help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and not __fish_seen_subcommand_from ls rotate destroy certify help" -f -a "ls" -d 'Lists keys with what they are for and what keeps an old one'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and not __fish_seen_subcommand_from ls rotate destroy certify help" -f -a "rotate" -d 'Lets a new key follow: it is published first and used when gateways have it'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and not __fish_seen_subcommand_from ls rotate destroy certify help" -f -a "destroy" -d 'Destroys old recipient keys that nothing can come under any more'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and not __fish_seen_subcommand_from ls rotate destroy certify help" -f -a "certify" -d 'Gives broker, enrolment endpoint and sink new certificates, over the keys that they have'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and not __fish_seen_subcommand_from ls rotate destroy certify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from rotate" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from rotate" -l stolen -d 'The old one was stolen: the receipt key is replaced at once and believed by nobody; until gateways have the keyring they refuse receipts and send again'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from destroy" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from destroy" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from certify" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from certify" -l also -d 'Another name or address under which gateways reach broker and endpoint' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from certify" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists keys with what they are for and what keeps an old one'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "rotate" -d 'Lets a new key follow: it is published first and used when gateways have it'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "destroy" -d 'Destroys old recipient keys that nothing can come under any more'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "certify" -d 'Gives broker, enrolment endpoint and sink new certificates, over the keys that they have'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand keys; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and not __fish_seen_subcommand_from key recovery request sign install help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and not __fish_seen_subcommand_from key recovery request sign install help" -f -a "key" -d 'Makes a root key, offline; prints its public half for `root request --root`'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and not __fish_seen_subcommand_from key recovery request sign install help" -f -a "recovery" -d 'Makes recovery keys, offline; writes their public halves for `root request --recovery`'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and not __fish_seen_subcommand_from key recovery request sign install help" -f -a "request" -d 'Asks the root for a new part: on the sink'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and not __fish_seen_subcommand_from key recovery request sign install help" -f -a "sign" -d 'Signs a request with one root key: offline. Shows first what is signed'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and not __fish_seen_subcommand_from key recovery request sign install help" -f -a "install" -d 'Puts together what enough holders have signed, and takes it: on the sink'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and not __fish_seen_subcommand_from key recovery request sign install help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from key" -l output -d 'The key\'s file; it is made with mode 0600 and belongs in a safe' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from recovery" -l folder -d 'Folder for the private halves, which belong in a safe, and `recovery.json`' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from recovery" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -l recovery -d 'Other recovery keys: the file of `root recovery`' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -l root -d 'A root key from now on, as `root key` has printed it; once for each' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -l needed -d 'How many of those must sign' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -l days -d 'Days until the keyring ends; collecting goes on after it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -l output -d 'Where to write the request' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -l fleet -d 'A new fleet key, made here'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from request" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from sign" -l key -d 'The root key' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from sign" -l output -d 'Where to write what was signed' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from sign" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from install" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from help" -f -a "key" -d 'Makes a root key, offline; prints its public half for `root request --root`'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from help" -f -a "recovery" -d 'Makes recovery keys, offline; writes their public halves for `root request --recovery`'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from help" -f -a "request" -d 'Asks the root for a new part: on the sink'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from help" -f -a "sign" -d 'Signs a request with one root key: offline. Shows first what is signed'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from help" -f -a "install" -d 'Puts together what enough holders have signed, and takes it: on the sink'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand root; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and not __fish_seen_subcommand_from ls set help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and not __fish_seen_subcommand_from ls set help" -f -a "ls" -d 'Lists all devices, those that were heard last first'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and not __fish_seen_subcommand_from ls set help" -f -a "set" -d 'Says what a device is; what is not given becomes empty'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and not __fish_seen_subcommand_from ls set help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from set" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from set" -l udi -d 'Unique device identification, as printed: `(01)...(21)...` or `+...`' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from set" -l serial -d 'Serial number' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from set" -l model -d 'Model' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from set" -l maker -d 'Who made it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from set" -l place -d 'Where it stands' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists all devices, those that were heard last first'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from help" -f -a "set" -d 'Says what a device is; what is not given becomes empty'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand device; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and not __fish_seen_subcommand_from add end ls help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and not __fish_seen_subcommand_from add end ls help" -f -a "add" -d 'Opens a window, from now on: for a gateway, a ward, or all'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and not __fish_seen_subcommand_from add end ls help" -f -a "end" -d 'Ends a window'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and not __fish_seen_subcommand_from add end ls help" -f -a "ls" -d 'Lists windows that are open'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and not __fish_seen_subcommand_from add end ls help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from add" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from add" -l gateway -d 'A gateway' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from add" -l ward -d 'A ward' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from add" -l hours -d 'Hours' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from add" -l reason -d 'Why' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from end" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from end" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "add" -d 'Opens a window, from now on: for a gateway, a ward, or all'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "end" -d 'Ends a window'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists windows that are open'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand notify" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand notify" -l name -d 'Only this receiver' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand notify" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and not __fish_seen_subcommand_from add end ls help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and not __fish_seen_subcommand_from add end ls help" -f -a "add" -d 'Begins a hold: of a device, of a ward, or of everything'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and not __fish_seen_subcommand_from add end ls help" -f -a "end" -d 'Ends a hold'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and not __fish_seen_subcommand_from add end ls help" -f -a "ls" -d 'Lists all holds, newest first'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and not __fish_seen_subcommand_from add end ls help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from add" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from add" -l device -d 'A device\'s readings, and the sealed records of the gateways through which it spoke' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from add" -l ward -d 'A ward\'s readings; with a device, its readings in this ward only' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from add" -l reason -d 'Why' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from end" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from end" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from help" -f -a "add" -d 'Begins a hold: of a device, of a ward, or of everything'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from help" -f -a "end" -d 'Ends a hold'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists all holds, newest first'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand hold; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand dispose" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand dispose" -l dry-run -d 'Counts what would go, and leaves it'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand dispose" -l force -d 'Trusts this machine\'s clock, although the newest reading is of long ago'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand dispose" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand dispose" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l device -d 'A device\'s readings: its EUI-64, 16 hexadecimal digits' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l patient -d 'A patient\'s readings: the token, as readings and exports show it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l from -d 'Only from this moment on, as 2026-11-28T10:00:00Z' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l to -d 'Only before this moment; before now without it' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l reason -d 'Why: it stands in the proof and in the audit trail. No patient\'s name belongs here' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l proof -d 'Where to write the proof; never over another file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l again -d 'Carries this order out again, and writes its proof: after an interruption, or a hold' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l dry-run -d 'Counts the rows that would go, and leaves them'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l yes -d 'Erases without asking back'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l list -d 'Lists the orders that were given here, oldest first, with their numbers'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand erase" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l gateway -d 'What happened to this gateway instead, by its own signed trail' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l last -d 'Entries to show' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l format -d 'All entries, oldest first, for another system' -r -f -a "fhir\t'FHIR R4, one AuditEvent a line'
csv\t'Comma-separated values, with a head'
ndjson\t'JSON, one entry a line'"
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l from -d 'With --format, from this moment on, as 2026-01-31T12:00:00Z' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l to -d 'With --format, before this moment' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l verify -d 'Checks the whole chain, and prints its head: who keeps that elsewhere sees a cut end, too'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l ndjson -d 'The same as --format ndjson'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l format -d 'Format of the files' -r -f -a "csv\t'One file a signal, of one device'
parquet\t'Columns: numerics, waves and notes'
fhir\t'FHIR R4, one resource a line'
hl7\t'HL7 v2.6: IHE PCD-01 and PCD-04'"
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l device -d 'The device\'s EUI-64, 16 hexadecimal digits' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l from -d 'From this moment on, as 2026-01-31T12:00:00Z' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l to -d 'Before this moment' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l out -d 'Folder to write into: empty, or of an export that was interrupted' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l all -d 'Every device'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l flagged -d 'HL7: values that are not valid, too, each with its flags'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -l bundles -d 'FHIR: transactions in place of single resources'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand evidence" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand evidence" -l device -d 'The device\'s EUI-64, 16 hexadecimal digits' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand evidence" -l from -d 'From this moment on, as 2026-11-28T10:00:00Z' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand evidence" -l to -d 'Before this moment' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand evidence" -l out -d 'Where to write it; never over another file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand evidence" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand feeds" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand feeds" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand feeds" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand import" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand import" -l local-key -d 'The key of the card; `keys/local.key` of the state folder without it' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand import" -l receipts -d 'Where to write the receipts, hexadecimal, one a line' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand import" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand import" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand recover" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand recover" -l from -d 'The dead sink\'s store: its file, or postgres://…' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand recover" -l recovery -d 'The folder of recovery keys, out of the safe' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand recover" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand recover" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand restored" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand restored" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and not __fish_seen_subcommand_from sqlite-to-postgres help" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and not __fish_seen_subcommand_from sqlite-to-postgres help" -f -a "sqlite-to-postgres" -d 'Copies the store\'s file into an empty PostgreSQL database; the file stays as it is'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and not __fish_seen_subcommand_from sqlite-to-postgres help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and __fish_seen_subcommand_from sqlite-to-postgres" -l config -d 'Configuration file' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and __fish_seen_subcommand_from sqlite-to-postgres" -l to -d 'The empty database, "postgres://user@localhost/name"' -r
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and __fish_seen_subcommand_from sqlite-to-postgres" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and __fish_seen_subcommand_from help" -f -a "sqlite-to-postgres" -d 'Copies the store\'s file into an empty PostgreSQL database; the file stays as it is'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand migrate; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand completions" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand man" -l out -d 'Folder to write into' -r -F
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand man" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand schema" -s h -l help -d 'Print help'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "init" -d 'Makes CA, keys, keyring, store and the broker\'s configuration for a new site'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "enroll" -d 'Answers a gateway\'s request: certificate, roots and keyring'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "run" -d 'Receives, verifies, stores and signs until it is stopped'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "status" -d 'Shows the ledger: what is present, double, missing, linked, forked, held, refused'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "incidents" -d 'Shows what needs a person and what to do; takes an incident or closes it'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "availability" -d 'Shows how much of a month gateways and their feeds were up, and how long readings took'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "link" -d 'Makes a link to the page that lets one person in, once, within ten minutes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "account" -d 'Invites people, and changes or ends what they may do'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "gateway" -d 'Lists gateways, and says in which ward each stands'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "keys" -d 'Shows the site\'s keys, lets new ones follow, and destroys what nothing waits for'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "root" -d 'What the offline root keys sign: a new fleet key, recovery keys, other roots, a later end'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "device" -d 'Lists devices, and says what each is: UDI, serial number, model, maker, place'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "maintenance" -d 'Keeps notifications back while somebody works on gateways'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "notify" -d 'Sends a test message to every receiver of notifications'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "hold" -d 'Keeps what the rules of retention would dispose of'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "dispose" -d 'Disposes of what the rules of retention no longer keep'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "erase" -d 'Erases a patient\'s, a device\'s or a period\'s readings, with a signed proof'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "audit" -d 'Shows who did what, and checks that nothing of it was changed'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "export" -d 'Writes a device\'s readings into files'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "evidence" -d 'Writes one file about a device and time that anybody can check with public keys alone'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "feeds" -d 'Lists feeds to other systems: how far behind each is, what it gave and what was refused'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "import" -d 'Takes what is on a dead gateway\'s card: verified, stored, signed for'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "recover" -d 'Opens the evidence of a dead sink with the offline recovery keys, and stores it here'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "restored" -d 'After a store was put back from a backup: tells the gateways'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "migrate" -d 'Moves the store somewhere else'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "completions" -d 'Prints completions for a shell'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "man" -d 'Writes the manual, one page a command'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "schema" -d 'Prints the JSON Schema of the configuration, for editors'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and not __fish_seen_subcommand_from init enroll run status incidents availability link account gateway keys root device maintenance notify hold dispose erase audit export evidence feeds import recover restored migrate completions man schema help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "add" -d 'Invites somebody: prints a link that is good once, for three days. There they choose a password and take the secret of their codes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "reset" -d 'The same for somebody who has lost password or codes'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "set" -d 'Gives another role or ward; whoever is signed in has to come in again'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "off" -d 'Switches an account off, and ends its sessions'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "on" -d 'Switches an account on, and opens its lock'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "out" -d 'Ends the sessions of a name, also of somebody who came by the hospital\'s sign-on'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "ls" -d 'Lists all accounts'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from gateway" -f -a "ls" -d 'Lists all gateways'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from gateway" -f -a "ward" -d 'Says in which ward a gateway stands; without a ward, in none'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from gateway" -f -a "revoke" -d 'Revokes a gateway: what it sends from now on is held for a person, whatever its clock says'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from gateway" -f -a "restore" -d 'Takes a revocation back: it was a mistake'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from gateway" -f -a "release" -d 'Lets go what is held of a suspect speaker: it is verified and stored'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from gateway" -f -a "replace" -d 'Puts one gateway in another\'s place: its ward and its devices move, the old one is revoked'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "ls" -d 'Lists keys with what they are for and what keeps an old one'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "rotate" -d 'Lets a new key follow: it is published first and used when gateways have it'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "destroy" -d 'Destroys old recipient keys that nothing can come under any more'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from keys" -f -a "certify" -d 'Gives broker, enrolment endpoint and sink new certificates, over the keys that they have'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from root" -f -a "key" -d 'Makes a root key, offline; prints its public half for `root request --root`'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from root" -f -a "recovery" -d 'Makes recovery keys, offline; writes their public halves for `root request --recovery`'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from root" -f -a "request" -d 'Asks the root for a new part: on the sink'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from root" -f -a "sign" -d 'Signs a request with one root key: offline. Shows first what is signed'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from root" -f -a "install" -d 'Puts together what enough holders have signed, and takes it: on the sink'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from device" -f -a "ls" -d 'Lists all devices, those that were heard last first'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from device" -f -a "set" -d 'Says what a device is; what is not given becomes empty'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "add" -d 'Opens a window, from now on: for a gateway, a ward, or all'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "end" -d 'Ends a window'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "ls" -d 'Lists windows that are open'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from hold" -f -a "add" -d 'Begins a hold: of a device, of a ward, or of everything'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from hold" -f -a "end" -d 'Ends a hold'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from hold" -f -a "ls" -d 'Lists all holds, newest first'
complete -c wardline-sink -n "__fish_wardline_sink_using_subcommand help; and __fish_seen_subcommand_from migrate" -f -a "sqlite-to-postgres" -d 'Copies the store\'s file into an empty PostgreSQL database; the file stays as it is'
