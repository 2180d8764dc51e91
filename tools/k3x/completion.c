/* `k3x completion bash|zsh|fish`: scripts that ask the binary itself. `k3x WORDS --help=table` prints what can come
 * next, a row each: commands with their help, or flags with letter, kind, environment and help (base/flags.h); a script
 * can't be older than what it completes. kubectl, crictl and ctr have completions of their own, and are not asked. */
#include "tools/programs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char bash[] =
        "# bash completion of k3x\n"
        "_k3x() {\n"
        "\tlocal cur=${COMP_WORDS[COMP_CWORD]} word name rest words=()\n"
        "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
        "\t\tcase $word in -*) break ;; kubectl | crictl | ctr) return ;; *) words+=(\"$word\") ;; esac\n"
        "\tdone\n"
        "\tlocal table list=\n"
        "\ttable=$(\"${COMP_WORDS[0]}\" \"${words[@]}\" --help=table 2>/dev/null) || return\n"
        "\twhile IFS=$'\\t' read -r name rest; do\n"
        "\t\t[[ -z $name || $rest == *$'\\t' ]] && continue\n"
        "\t\t[[ $rest == *$'\\t'* ]] && name=--$name\n"
        "\t\tlist+=\" $name\"\n"
        "\tdone <<<\"$table\"\n"
        "\t[[ $cur == -* ]] && list+=\" --help\"\n"
        "\tCOMPREPLY=($(compgen -W \"$list\" -- \"$cur\"))\n"
        "}\n"
        "complete -o default -F _k3x k3x\n";

static const char zsh[] =
        "#compdef k3x\n"
        "_k3x() {\n"
        "\tlocal -a list asked row\n"
        "\tlocal word line\n"
        "\tfor word in ${words[2,CURRENT-1]}; do\n"
        "\t\tcase $word in -*) break ;; kubectl|crictl|ctr) _files; return ;; *) asked+=$word ;; esac\n"
        "\tdone\n"
        "\tfor line in ${(f)\"$($words[1] $asked --help=table 2>/dev/null)\"}; do\n"
        "\t\trow=(\"${(@ps:\\t:)line}\")\n"
        "\t\tif (( $#row > 2 )); then\n"
        "\t\t\t[[ -n $row[5] ]] && list+=(\"--$row[1]:$row[5]\")\n"
        "\t\telse\n"
        "\t\t\tlist+=(\"$row[1]:$row[2]\")\n"
        "\t\tfi\n"
        "\tdone\n"
        "\t_describe k3x list || _files\n"
        "}\n"
        "compdef _k3x k3x\n";

static const char fish[] = "# fish completion of k3x\n"
                           "function __k3x_next\n"
                           "\tset -l asked\n"
                           "\tfor word in (commandline -opc)[2..]\n"
                           "\t\tswitch $word\n"
                           "\t\t\tcase '-*'\n\t\t\t\tbreak\n"
                           "\t\t\tcase kubectl crictl ctr\n\t\t\t\treturn\n"
                           "\t\t\tcase '*'\n\t\t\t\tset -a asked $word\n"
                           "\t\tend\n"
                           "\tend\n"
                           "\tfor line in ((commandline -opc)[1] $asked --help=table 2>/dev/null)\n"
                           "\t\tset -l row (string split \\t -- $line)\n"
                           "\t\tif test (count $row) -gt 2\n"
                           "\t\t\ttest -n \"$row[5]\"; and printf '%s\\t%s\\n' --$row[1] $row[5]\n"
                           "\t\telse\n"
                           "\t\t\tprintf '%s\\t%s\\n' $row[1] $row[2]\n"
                           "\t\tend\n"
                           "\tend\n"
                           "end\n"
                           "complete -c k3x -a '(__k3x_next)'\n";

static const char how[] = "k3x completion bash|zsh|fish: print a completion script, for\n"
                          "  bash  /usr/share/bash-completion/completions/k3x\n"
                          "  zsh   a folder of $fpath, as _k3x\n"
                          "  fish  /usr/share/fish/vendor_completions.d/k3x.fish\n";

int completion_main(int argc, char **argv)
{
	static const struct {
		const char *name, *script;
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	const char *shell = argc == 2 ? argv[1] : "";
	bool is_table = strcmp(shell, "--help=table") == 0,
	     is_help = strcmp(shell, "--help") == 0 || strcmp(shell, "-h") == 0;
	for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
		if (strcmp(shell, shells[i].name) == 0)
			return fputs(shells[i].script, stdout) < 0;
		if (is_table)
			printf("%s\tprint its completion script\n", shells[i].name);
	}
	if (is_table)
		return 0;
	if (argc > 2 && strcmp(argv[2], "-i") == 0)
		fputs("k3x completion: -i: nothing is written into a shell's own file: put the script where the shell "
		      "looks for it\n",
		        stderr);
	fputs(how, is_help ? stdout : stderr);
	return is_help ? 0 : 2;
}
