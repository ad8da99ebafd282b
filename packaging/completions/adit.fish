# Completion of adit for fish: to /usr/share/fish/vendor_completions.d/adit.fish.
# Commands and options are those that the program's own help names, so that none is missing.

# "word<TAB>what it is" for the words that begin a line of a help text.
function __adit_entries
    string replace --filter --regex '^  ([a-z]+) +(.*)$' '$1\t$2' -- $argv
end

# "option<TAB>argument<TAB>what it is".
function __adit_options
    set -l form '^ +(?:(-[A-Za-z]), )?(--[a-z-]+)(?: ([A-Z][A-Z=:]*))?(?: +(.*))?$'
    string match --quiet --regex $form -- $argv; or return
    for line in (string match --entire --regex $form -- $argv)
        string replace --filter --regex $form '$2\t$3\t$4' -- $line
        string match --quiet --regex '^ +-[A-Za-z],' -- $line
        and string replace --filter --regex $form '$1\t$3\t$4' -- $line
    end
end

function __adit_takes --argument-names option
    for row in $__adit_rows
        set -l parts (string split \t -- $row)
        test "$parts[1]" = "$option"; and echo $parts[2]; and return
    end
end

# Rows that go with the first operand; all of them while there is none. What an option is for begins
# with "(status, endpoints)" where it goes with these operands only.
function __adit_fitting --argument-names operand
    for row in $__adit_rows
        set -l fits (string match --regex '\t\(([a-z, ]+)\)' -- $row)[2]
        if test -z "$operand"; or test -z "$fits"; or contains -- $operand (string split ', ' -- $fits)
            printf '%s\n' $row
        end
    end
end

function __adit_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l program $words[1]
    if test (count $words) = 1
        __adit_entries ($program help 2>/dev/null)
        return
    end
    set -l command $words[2]
    set -l help ($program help $command 2>/dev/null); or return
    set -g __adit_rows (__adit_options $help)
    set -l before $words[-1]
    set -l prefix
    if string match --quiet --regex '^--.*=' -- $current
        set before (string split --max 1 = -- $current)[1]
        set prefix $before=
        set current (string split --max 1 = -- $current)[2]
    end
    switch (__adit_takes $before)
        case FILE
            string replace --regex -- '^' "$prefix" (__fish_complete_path "$current")
            return
        case DIR
            string replace --regex -- '^' "$prefix" (__fish_complete_directories "$current")
            return
        case '?*'
            return
    end
    set -l operands
    set -l skip no
    for word in $words[3..-1]
        if test $skip = yes
            set skip no
        else if set -l argument (__adit_takes $word); and test -n "$argument"
            set skip yes
        else if not string match --quiet -- '-*' $word
            set -a operands $word
        end
    end
    if string match --quiet -- '-*' $current
        string replace --regex '\t.*\t' '\t' -- (__adit_fitting $operands[1])
        return
    end
    switch "$command $operands"
        case 'help '
            __adit_entries ($program help 2>/dev/null)
            echo config\tthe keys of adit.json
        case 'import '
            echo ingress-nginx
        case 'ctl '
            __adit_entries $help
        case 'ctl state *'
            test (count $operands) = 2; and string split ' ' 'on drain off full file'
        case '*'
            string match --quiet --regex '(RULES|FILE|LOG)(\.\.\.|…)?\]?$' -- $help[1]
            and __fish_complete_path "$current"
    end
end

complete --command adit --no-files --arguments '(__adit_complete)'
