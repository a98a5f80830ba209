/* relations.c: how the parts of an OOXML package point to one another. What points out of the package is counted and left alone. */
#include "handlers/documents/package.h"
#include "handlers/documents/xml.h"
#include "worker/base/alloc.h"

#include <string.h>
#include <strings.h>

#define MAX_RELATIONS 100000

struct relations_walk {
    struct relation_list *list;
    const char *folder; /* of the part that points, with its '/' */
    size_t folder_length;
};

/* "../media/x" seen from "ppt/slides/" → "ppt/media/x"; NULL with *outside where it leaves the package. */
static char *resolve(const char *folder, size_t folder_length, const char *target, bool *outside)
{
    struct buffer path = {0};
    *outside = false;
    if (*target != '/') buffer_append(&path, folder, folder_length);
    while (*target && !path.failed) {
        size_t n = strcspn(target, "/");
        if (n == 2 && memcmp(target, "..", 2) == 0) {
            if (path.length == 0) {
                *outside = true;
                break;
            }
            do path.length--;
            while (path.length > 0 && path.data[path.length - 1] != '/');
        } else if (n > 0 && !(n == 1 && *target == '.')) {
            buffer_append(&path, target, n);
            if (target[n]) buffer_append_char(&path, '/');
        }
        target += n + (target[n] == '/');
    }
    if (*outside) {
        buffer_free(&path);
        return NULL;
    }
    return buffer_take(&path, NULL);
}

static void on_relation(struct xml_walk *x, const char *name, const char **attributes)
{
    struct relations_walk *w = x->context;
    struct relation_list *list = w->list;
    if (strcmp(name, "rel:Relationship") != 0) return;
    const char *id = xml_attribute(attributes, "Id"), *type = xml_attribute(attributes, "Type");
    const char *target = xml_attribute(attributes, "Target"), *mode = xml_attribute(attributes, "TargetMode");
    if (!id || !type || !target || list->n >= MAX_RELATIONS) return;
    bool outside = (mode && strcasecmp(mode, "External") == 0) || strchr(target, ':') || strchr(target, '\\');
    char *path = outside ? NULL : resolve(w->folder, w->folder_length, target, &outside);
    if (outside) {
        list->n_outside++;
        return;
    }
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct relation *items = mem_resize(list->items, capacity, sizeof(*items));
        if (items) list->items = items, list->capacity = capacity;
    }
    const char *last = strrchr(type, '/');
    struct relation r = {str_dup(id), str_dup(last ? last + 1 : type), path};
    if (list->n < list->capacity && r.id && r.type && r.target) {
        list->items[list->n++] = r;
        return;
    }
    mem_free(r.id);
    mem_free(r.type);
    mem_free(r.target);
    xml_fail(x, fail(&x->error, DOCKET_NO_MEMORY, CODE_NONE, "no memory for relationships"));
}

static void on_end(struct xml_walk *x, const char *name)
{
    (void)x, (void)name;
}

enum status relations_read(struct relation_list *list, const struct package *package, const char *name,
                           struct error *err)
{
    const char *last = strrchr(name, '/');
    size_t folder_length = last ? (size_t)(last + 1 - name) : 0;
    char *rels = str_format("%.*s_rels/%s.rels", (int)folder_length, name, name + folder_length);
    if (!rels) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for relationships");
    const struct package_part *part = package_find(package, rels);
    struct relations_walk w = {list, name, folder_length};
    struct xml_walk x = {.start = on_relation, .end = on_end, .context = &w, .part = "relationships"};
    enum status st = part ? xml_read(&x, part->bytes.data, part->bytes.length, err) : DOCKET_OK;
    mem_free(rels);
    return st == DOCKET_CORRUPT ? DOCKET_OK : st; /* best effort: what was read of them stands */
}

const struct relation *relation_by_id(const struct relation_list *list, const char *id)
{
    for (size_t i = 0; id && i < list->n; i++)
        if (strcmp(list->items[i].id, id) == 0) return &list->items[i];
    return NULL;
}

const struct relation *relation_by_type(const struct relation_list *list, const char *type)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i].type, type) == 0) return &list->items[i];
    return NULL;
}

void relations_free(struct relation_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        mem_free(list->items[i].id);
        mem_free(list->items[i].type);
        mem_free(list->items[i].target);
    }
    mem_free(list->items);
    *list = (struct relation_list){0};
}

enum status package_main(const struct package_part **main, const struct package *package, const char *otherwise,
                         struct error *err)
{
    struct relation_list list = {0};
    enum status st = relations_read(&list, package, "", err);
    const struct relation *r = st == DOCKET_OK ? relation_by_type(&list, "officeDocument") : NULL;
    *main = r ? package_find(package, r->target) : NULL;
    if (!*main) *main = package_find(package, otherwise);
    relations_free(&list);
    return st;
}
