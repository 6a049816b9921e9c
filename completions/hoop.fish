# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_hoop_global_optspecs
    string join \n gateway= output= color= theme= ascii no-input v/verbose h/help V/version
end

function __fish_hoop_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_hoop_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_hoop_using_subcommand
    set -l cmd (__fish_hoop_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c hoop -n "__fish_hoop_needs_command" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_needs_command" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_needs_command" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_needs_command" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_needs_command" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_needs_command" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_needs_command" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_needs_command" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "login" -d 'Log in at a gateway, through your identity provider'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "logout" -d 'End the login and forget its tokens'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "whoami" -d 'Say who you are to the gateway'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "status" -d 'Show the gateway, the login and where its tokens are kept'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "ls" -d 'List the connections you may use'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "connect" -d 'Open a local tunnel to a connection'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "exec" -d 'Run a command with tunnels, and nothing beside them'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "mcp" -d 'Speak MCP over standard input and output, for a connection of kind mcp'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "can" -d 'Ask what would become of an operation, without running it'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "token" -d 'Get a password for a native client: one connection, one use'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "ssh-config" -d 'Print a block for ssh\'s configuration'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "ssh" -d 'The gateway\'s certificates for machines'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "cert" -d 'Get a client certificate for a native client: one connection, for an hour or as long as the gateway says'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "classify" -d 'Propose tags for the columns of a connection'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "approvals" -d 'Decide on operations that wait for approval'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "notifications" -d 'See and repair what receivers were not told'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "tools" -d 'Review what the tools of MCP servers say they do'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "sessions" -d 'List and show live and past sessions'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "runs" -d 'List and show runs: what `hoop exec` started, and everything that happened in it'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "replay" -d 'Play a recorded session in the terminal'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "dashboard" -d 'Decide, watch and replay in the terminal'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "audit" -d 'Verify recordings offline'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "policy" -d 'Check policies offline'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "connections" -d 'See where connections lead, and prove that they work'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "secrets" -d 'Keep secrets of upstreams in the gateway\'s own store'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "init" -d 'Write a commented site to start from'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "apply" -d 'Put a site in force'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "diff" -d 'Say what a site would change'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "rollback" -d 'Put an earlier version of the site in force again'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "site" -d 'Look at the versions of the site'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "gateway" -d 'Run the gateway'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "demo" -d 'Show everything on this machine, against a real PostgreSQL'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "completions" -d 'Print shell completions'
complete -c hoop -n "__fish_hoop_needs_command" -f -a "man" -d 'Print or write the man pages'
complete -c hoop -n "__fish_hoop_using_subcommand login" -l max-age -d 'Ask the identity provider for a login that is at most so many seconds old' -r
complete -c hoop -n "__fish_hoop_using_subcommand login" -l acr -d 'Ask it for a login of this kind (`acr`), such as phr for one that cannot be phished' -r
complete -c hoop -n "__fish_hoop_using_subcommand login" -l token-file -d 'Log in as the service account whose token this file holds; it is read anew each time' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand login" -l client-id -d 'Log in as this client of the identity provider, a service account' -r
complete -c hoop -n "__fish_hoop_using_subcommand login" -l client-secret-file -d 'The file that holds the client\'s secret' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand login" -l client-scope -d 'The scope to ask for as a client, where the identity provider wants one' -r
complete -c hoop -n "__fish_hoop_using_subcommand login" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand login" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand login" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand login" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand login" -l no-browser -l device -d 'Print an address and a code for a browser on any machine; do not try to open one here'
complete -c hoop -n "__fish_hoop_using_subcommand login" -l browser -d 'Log in by a browser on this machine, even where none can be opened from here: the address is printed'
complete -c hoop -n "__fish_hoop_using_subcommand login" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand login" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand login" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand login" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand logout" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand logout" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand logout" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand logout" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand logout" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand logout" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand logout" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand logout" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand whoami" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand status" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand status" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand status" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand status" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand status" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand status" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand status" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand status" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand ls" -l all -d 'Also list connections that you may not use'
complete -c hoop -n "__fish_hoop_using_subcommand ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l port -d 'The local port; without it the protocol\'s usual one, else the next free one' -r
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l request -d 'Why you need access, where connecting needs an approval; reviewers see it' -r
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l for -d 'For how long, such as 30m or 1h; without it an hour, or what the policy allows' -r
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l socket -d 'Listen on a Unix socket in a private folder instead of a port'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l password -d 'Also ask local clients for a random password, made for this tunnel'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l stdio -d 'Speak on standard input and output instead of a port, as `ProxyCommand` of ssh wants it'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand connect" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -s c -l connection -d 'A connection that the command may use, as `hoop ls` names it; once for each' -r
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l label -d 'Something to know the run by, such as team=ops; once for each' -r
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l as-agent -d 'Lend this agent your presence: both it and you must be permitted' -r
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l request -d 'Why the command needs access, where connecting needs an approval; reviewers see it' -r
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l for -d 'For how long, such as 30m or 1h; without it an hour, or what the policy allows' -r
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l keep -d 'Let the command have a variable although it looks like a credential; once for each' -r
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l allow-read -d 'In the jail, let the command also read this file or folder; once for each' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l allow-write -d 'In the jail, let the command also read and write this file or folder; once for each' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l jail -d 'Run the command in a jail; agents are jailed without it'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l no-jail -d 'Run the command without a jail, and say what stays open'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l socket -d 'Open the tunnels to databases as Unix sockets in a private folder instead of ports; not in a jail'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand exec" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -l path -d 'Where the server speaks MCP' -r
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand mcp" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand can" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand can" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand can" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand can" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand can" -l estimate -d 'Also ask the planner how many rows it would touch, where asking runs nothing'
complete -c hoop -n "__fish_hoop_using_subcommand can" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand can" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand can" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand can" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand can" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand token" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand token" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand token" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand token" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand token" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand token" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand token" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand token" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand token" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand ssh-config" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and not __fish_seen_subcommand_from ca" -f -a "ca" -d 'Print the authority whose certificates a machine should take'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand ssh; and __fish_seen_subcommand_from ca" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l out -d 'The folder for NAME.crt and NAME.key, or `id_NAME` and `id_NAME-cert.pub`, all 0600; without it, hoop\'s own, which a logout clears' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l public-key -d 'Of SSH: certify this public key instead of making one' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand cert" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand cert" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand cert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand cert" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand classify" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand classify" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand classify" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand classify" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand classify" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand classify" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand classify" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand classify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand classify" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -f -a "ls" -d 'List requests that wait'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -f -a "show" -d 'Show one request: the whole statement, who asks, why it is held'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -f -a "approve" -d 'Approve a request'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -f -a "deny" -d 'Deny a request; says why'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -f -a "watch" -d 'Follow requests as they come and are decided, until Ctrl-C'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and not __fish_seen_subcommand_from ls show approve deny watch reviewers" -f -a "reviewers" -d 'List who has how much to decide'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -l all -d 'Also list requests that are decided or lapsed'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l reason -d 'Why; recorded, and shown to who asked' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l shape-for -d 'Let pass whatever differs in constants only, for this principal and so long, where the policy allows it' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l max-rows -d 'At most so many rows each, by the planner\'s estimate; without it as many as this statement\'s' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from approve" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -l reason -d 'Why; recorded, and shown to who asked. Asked for where a person types' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from deny" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from watch" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand approvals; and __fish_seen_subcommand_from reviewers" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -f -a "ls" -d 'List what waits and what was given up, and why'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -f -a "retry" -d 'Try again at once'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and not __fish_seen_subcommand_from ls retry drop" -f -a "drop" -d 'Forget; nobody will be told'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -l dead -d 'All that were given up'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from retry" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -l dead -d 'All that were given up'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand notifications; and __fish_seen_subcommand_from drop" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -f -a "ls" -d 'List the tools of a connection, and which of them changed'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -f -a "show" -d 'Show the definition in force, and the one that waits for a review'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and not __fish_seen_subcommand_from ls show accept" -f -a "accept" -d 'Put the changed definition in force'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand tools; and __fish_seen_subcommand_from accept" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -f -a "ls" -d 'List sessions, newest first: your own, and those that the policy lets you see'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -f -a "show" -d 'Show one session: every operation, its decision and outcome'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -f -a "watch" -d 'Follow one session as it happens, until it ends; without one, sessions as they begin and end'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and not __fish_seen_subcommand_from ls show watch kill" -f -a "kill" -d 'End a live session: your own, or one that the policy lets you end'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l connection -d 'Only sessions on this connection' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l principal -d 'Only sessions of this principal' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l who -d 'Only sessions of principals, or of agents of people, whose name contains this' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l text -d 'Only sessions in which this was said, in either case; parts that are sealed are not searched' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l decision -d 'Only sessions in which something was decided so' -r -f -a "refused\t'Something was refused'
held\t'Something waited for approval'
masked\t'Something was masked'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l since -d 'Only sessions that were open after then: 90m, 24h, 7d ago, or a time such as 2026-11-21T09:00:00Z' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l until -d 'Only sessions that had begun by then' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l limit -d 'At most so many' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l live -d 'Only sessions that are still open'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from watch" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l reason -d 'Why; recorded, and told to whose session it is' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -s y -l yes -d 'Do not ask first'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand sessions; and __fish_seen_subcommand_from kill" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -f -a "ls" -d 'List runs, newest first: your own, and those that the policy lets you see'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -f -a "show" -d 'Show one run: who it stands for, what it used up, and its timeline across all its sessions'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and not __fish_seen_subcommand_from ls show export" -f -a "export" -d 'Print the whole timeline of a run, one recorded event a line, as JSON'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -l limit -d 'At most so many' -r
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand runs; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l speed -d 'How many times faster than it was; `max` prints everything at once' -r
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l at -d 'Begin at this operation' -r
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l search -d 'Show only operations whose text contains this, in either case' -r
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l asciicast -d 'Write the recorded terminal as asciicast version 2 to this file, `-` for standard output; with several, `--at` says of which operation' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand replay" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand replay" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand replay" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l ring -d 'Ring when a new request comes: the bell, and a notification where the terminal has them (OSC 9)'
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l mouse -d 'Use the mouse: the wheel scrolls, a click selects'
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand dashboard" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and not __fish_seen_subcommand_from verify" -f -a "verify" -d 'Check every chain, every signature and every length against a public key kept elsewhere'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l key -d 'The recorder\'s public key, from a place that the gateway\'s host cannot change' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l head -d 'A head that an earlier verification printed: the log must still contain it' -r
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand audit; and __fish_seen_subcommand_from verify" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -f -a "check" -d 'Check a site\'s files as the gateway would, and print every mistake with its place and fix'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -f -a "test" -d 'Run a site\'s policy cases offline, and print those that come out otherwise'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -f -a "explain" -d 'Say offline what an operation would come to, by which rules, and what they oblige to'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -f -a "diff" -d 'Say what differs between the policies of two sites, and which of their cases come out otherwise'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -f -a "fmt" -d 'Lay out policies in the one way'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -f -a "backtest" -d 'Decide recorded operations again by a site\'s policies, and list what would come out otherwise'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and not __fish_seen_subcommand_from check test explain diff fmt backtest schema" -f -a "schema" -d 'Print the Cedar schema that policies are checked against, or the JSON Schema of one of the site\'s TOML files'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l user -d 'The person who asks' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l agent -d 'The agent who asks; its owner and groups are those of agents.toml' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l group -d 'A group of whoever asks; may be given again' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from explain" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from diff" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -l check -d 'Change nothing; name the files that are laid out otherwise, and fail where there are some'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from fmt" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l since -d 'How far back: `7d`, `12h`, `90m`, a day or a time' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l limit -d 'As many sessions at most' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l record -d 'What `hoop replay --output jsonl` printed, of one session or of several, instead of a gateway; may be given again' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from backtest" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -l toml -d 'Of this TOML file, for editors' -r -f -a "gateway\t'`gateway.toml`'
connections\t'`connections.toml`'
masking\t'`masking.toml`'
agents\t'`agents.toml`'
tests\t'The policy cases: `tests/*.toml`'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand policy; and __fish_seen_subcommand_from schema" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -f -a "ls" -d 'List every connection of the site, with its upstream and its kind of credential'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and not __fish_seen_subcommand_from ls test" -f -a "test" -d 'Prove reachability, TLS, credential and privileges; status 1 where one of them fails'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand connections; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -f -a "set" -d 'Set a secret, new or not; the value comes from standard input'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -f -a "rotate" -d 'Replace a secret that is there; the next session uses the new value'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -f -a "ls" -d 'List the names of secrets, and who set them when'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and not __fish_seen_subcommand_from set rotate ls rm" -f -a "rm" -d 'Take a secret away'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rotate" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand secrets; and __fish_seen_subcommand_from rm" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand init" -l starter -d 'What it is for' -r -f -a "payments\t'Cards, accounts and refunds'
health\t'Patients\' records'
engineering\t'An application\'s production and staging'"
complete -c hoop -n "__fish_hoop_using_subcommand init" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand init" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand init" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand init" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand init" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand init" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand init" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand init" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand apply" -s m -l message -d 'Why, for the record' -r
complete -c hoop -n "__fish_hoop_using_subcommand apply" -l base -d 'Only if this version is in force; without it, the one that is when the command begins' -r
complete -c hoop -n "__fish_hoop_using_subcommand apply" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand apply" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand apply" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand apply" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand apply" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand apply" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand apply" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand apply" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand diff" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand diff" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand diff" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand diff" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand diff" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand diff" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand diff" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand diff" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -s m -l message -d 'Why, for the record' -r
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -l base -d 'Only if this version is in force; without it, the one that is when the command begins' -r
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand rollback" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -f -a "ls" -d 'List the versions, newest first: the first is in force'
complete -c hoop -n "__fish_hoop_using_subcommand site; and not __fish_seen_subcommand_from ls show" -f -a "show" -d 'Print the files of a version'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from ls" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -l to -d 'Write the files into this folder instead; it must not hold any of them' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand site; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and not __fish_seen_subcommand_from run" -f -a "run" -d 'Run it in the foreground until SIGTERM or Ctrl-C; flags override the site\'s files'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l listen -d 'The address to listen on' -r
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l data-dir -d 'Where the gateway keeps its store, keys and recordings' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l upstream -d 'A PostgreSQL to offer as the connection `pg-dev`, without a site' -r
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l username -d 'The role to log in with at that PostgreSQL' -r
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l secret -d 'Where that role\'s password is, as `env:NAME` or `file:PATH`; never the password itself' -r
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l ready-file -d 'Write the address here once the gateway accepts connections' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l durability -d 'When a recorded operation may go on' -r -f -a "strict\t'Once it is on the disk: not even a power failure loses it'
relaxed\t'Once the kernel has it: a killed gateway loses nothing, a power failure at most 50 ms'"
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l dev -d 'Development: this machine only, built-in users'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand gateway; and __fish_seen_subcommand_from run" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand demo" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand demo" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand demo" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand demo" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand demo" -s y -l yes -d 'Ask nothing and end after the tour'
complete -c hoop -n "__fish_hoop_using_subcommand demo" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand demo" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand demo" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand demo" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand completions" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand completions" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand completions" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand completions" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand completions" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand completions" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand completions" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand completions" -s V -l version -d 'Print version'
complete -c hoop -n "__fish_hoop_using_subcommand man" -l out -d 'Write one page per command into this folder instead of printing hoop(1)' -r -F
complete -c hoop -n "__fish_hoop_using_subcommand man" -l gateway -d 'The gateway to speak to; without it, the one of the last login' -r
complete -c hoop -n "__fish_hoop_using_subcommand man" -l output -d 'How to print results: for people, as one JSON document, or as one JSON object a line' -r -f -a "table\t'Aligned columns for people'
json\t'One versioned JSON document'
jsonl\t'One versioned JSON object a line'"
complete -c hoop -n "__fish_hoop_using_subcommand man" -l color -d 'When to use colour; `NO_COLOR` and `TERM=dumb` are honoured' -r -f -a "auto\t'On a terminal that has it'
always\t'Always, also into a pipe'
never\t'Never'"
complete -c hoop -n "__fish_hoop_using_subcommand man" -l theme -d 'The colours of everything that fills the screen' -r -f -a "dark\t'For a dark background'
light\t'For a light background'
high-contrast\t'White on black, strong colours'"
complete -c hoop -n "__fish_hoop_using_subcommand man" -l ascii -d 'Draw with ASCII alone; so it is anyway where the locale is not UTF-8'
complete -c hoop -n "__fish_hoop_using_subcommand man" -l no-input -d 'Never ask anything; fail and say what is missing'
complete -c hoop -n "__fish_hoop_using_subcommand man" -s v -l verbose -d 'Say more on standard error; twice and thrice say still more'
complete -c hoop -n "__fish_hoop_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoop -n "__fish_hoop_using_subcommand man" -s V -l version -d 'Print version'
