/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why drivers cannot be watched here. */
#ifndef RECOVERD_OBSTACLE_H
#define RECOVERD_OBSTACLE_H

#include "../replug/replug.h"

/* What stands in the way before anything is tried: 0, or a negative errno with the sentence. */
int obstacle_find(struct replug_error *err);
/* Says why `what` failed with r, a negative errno, which it returns. */
int obstacle_explain(struct replug_error *err, int r, const char *what);

#endif
