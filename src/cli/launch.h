/* The processes that a launcher started together: only the first of them is heard. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include <softlabel/processes.h>

/* Of several processes, silences all but rank 0: what they all say is said once. They meet if the
 * command, self, is one that can run in all of them together; else that is refused. Returns
 * CLI_DONE, or what to exit with; a mistake has then been told. */
int cli_launch(const char *self, bool together);

/* Borrowed; NULL where this process is alone. */
sl_processes *cli_processes(void);

/* Before an error is printed: if only this process knows of it, it is heard again. */
void cli_speak_alone(void);
/* After that, with the code to exit with: ends the processes that don't know of it. */
void cli_end_others(int code);

#endif
