/* html_style.h: what the attributes of one element say about whether its text is seen. Knows declarations, no style sheets. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_HTML_STYLE_H
#define DOCKET_HANDLERS_DOCUMENTS_HTML_STYLE_H

#include <stdbool.h>

/* What text inherits; {0} is no root, html_look_root is. */
struct html_look {
    bool hidden;      /* for good: nothing inside can be seen any more */
    bool invisible;   /* visibility, which something inside may have again */
    bool on_picture;  /* of its ground nothing is known */
    bool transparent; /* the colour of its letters */
    double size;      /* of letters, in pixels */
    unsigned char color[3], ground[3];
};
extern const struct html_look html_look_root; /* black on white, 16 pixels */

/* Takes in one element: the value of its style attribute, and of color and bgcolor as older pages have them; NULL: it has none. */
void html_look_style(struct html_look *look, const char *style);
void html_look_color(struct html_look *look, const char *value);
void html_look_ground(struct html_look *look, const char *value);
/* Whether text that looks so is seen. */
bool html_look_seen(const struct html_look *look);

#endif
