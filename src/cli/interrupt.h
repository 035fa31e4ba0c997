/* cli/interrupt.h - Ctrl-C and SIGTERM for the commands that work for a while, and pauses that they end.
 *
 * Role:      without interrupt_catch the signals end the process as ever; with it the command goes on until
 * it looks, and ends in order. A second signal ends the process at once. Units:     ms. Threads:   the main
 * one.
 */
#ifndef CH_CLI_INTERRUPT_H
#define CH_CLI_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

void interrupt_catch(void);
bool interrupt_is_asked(void);
void interrupt_ask(void); /* as a signal does: the command has what it wanted */
bool interrupt_wait(int64_t ms) CH_MUST_USE; /* false: ended by a signal before its time */

#endif
