/* k3x: the one binary. The name it was called by, or else the first argument, picks the program. */
#include <stdio.h>

int main(int argc, char **argv)
{
	fprintf(stderr, "k3x " K3X_VERSION ": no program yet\n");
	return 2;
}
