"""The codes of what is wrong with a definition or with answers, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

_APP = ("升级手机应用", "Upgrade the app.")
_DEFINITION: Mapping[str, Advice] = {
    "not_known_here": Advice(
        "此处没有这个属性",
        "There is no such property here",
        "删去或改正名称",
        "Remove it, or mend its name.",
    ),
    "too_few": Advice("至少 {least} 项", "At least {least}", "补充", "Add some."),
    "not_a_day": Advice(
        "不是有效日期", "It is no day as 2026-01-31", "按年-月-日填写", "Write year-month-day."
    ),
    "choice_twice": Advice("选项重复", "A choice stands twice", "每项只选一次", "Name each once."),
    "name_twice": Advice(
        "名称重复：{name}", "The name {name} stands twice", "改用另一名称", "Take another name."
    ),
    "does_not_fit": Advice(
        "{type} 类题目不能有此属性",
        "A question of type {type} has no such",
        "删去该属性或改题型",
        "Remove it, or change the type.",
    ),
    "too_deep": Advice(
        "分组层数过多：最多 {most} 层",
        "Groups lie in one another at most {most} times",
        "减少层次",
        "Take one of the groups away.",
    ),
    "repeat_in_repeat": Advice(
        "重复组内不能再有重复组",
        "A repeat cannot stand in a repeat",
        "移到外面，或改为普通分组",
        "Move it outside, or make it a group.",
    ),
    "fewer_rows": Advice(
        "行数上限低于旧版：{names}",
        "Fewer rows than older answers may have: {names}",
        "上限不低于 {most}",
        "Allow at least {most}.",
    ),
    "purpose_missing": Advice(
        "涉及个人的题目须写明目的",
        "What is personal needs its purpose",
        "写明采集目的，或删去此题",
        "Say what it is for, or do not ask.",
    ),
    "forbidden_topic": Advice(
        "不得采集此类内容（{topic}）", "This must not be asked: {topic}", "删去", "Remove it."
    ),
    "not_one_operator": Advice(
        "表达式须为一个运算的对象",
        "An expression is one operator object",
        "参见 docs/forms.md",
        "See docs/forms.md.",
    ),
    "unknown_operator": Advice(
        "没有运算 {operator}",
        "There is no operator {operator}",
        "可用：{choices}",
        "There are: {choices}",
    ),
    "wrong_arguments": Advice(
        "运算 {operator} 的参数个数或形式有误",
        "The arguments of {operator} are wrong",
        "参见 docs/forms.md",
        "See docs/forms.md.",
    ),
    "expression_too_large": Advice(
        "表达式过大：最多 {most} 个节点、{depth} 层",
        "At most {most} nodes and {depth} levels",
        "拆成几个计算题",
        "Split it into calculations.",
    ),
    "unknown_name": Advice(
        "没有这个名称：{names}",
        "There is no such name: {names}",
        "核对题目名称",
        "Check the names of the questions.",
    ),
    "wrong_types": Advice(
        "运算 {operator} 的类型不符",
        "The types do not fit {operator}",
        "数字、文字、日期、是否不能混用",
        "Do not mix numbers, texts, days, truths.",
    ),
    "wrong_result": Advice(
        "结果类型须为 {wanted}，现为 {found}",
        "It must come to {wanted}, not {found}",
        "修改表达式或结果类型",
        "Change the expression or its result.",
    ),
    "cycle": Advice(
        "互相依赖：{names}",
        "They decide about one another: {names}",
        "去掉其中一个依赖",
        "Take one of the rules away.",
    ),
    "no_version_before": Advice(
        "之前没有版本", "There is no version before", "删去转换步骤", "Remove the step."
    ),
    "not_taken_over": Advice(
        "旧版的内容未作转换：{names}",
        "Older answers are not taken over: {names}",
        "用改名、映射或舍弃说明",
        "Say so: rename, map or drop.",
    ),
    "another_type": Advice(
        "题型与旧版不同：{names}",
        "Another type than before: {names}",
        "舍弃旧题并用新名称",
        "Drop the old one and take a new name.",
    ),
}
_SPREADSHEETS: Mapping[str, Advice] = {
    "xlsform_not_supported": Advice(
        "不支持 {what}", "This is not supported: {what}", "参见 docs/forms.md", "See docs/forms.md."
    ),
    "xlsform_no_list": Advice(
        "choices 工作表中没有列表 {name}",
        "The sheet choices has no list {name}",
        "补充该列表",
        "Add the list.",
    ),
    "xlsform_not_closed": Advice(
        "{what} 没有对应的结束行",
        "This {what} is never ended",
        "在最后一题之后加一行 {end}",
        "Add a row {end} after its last question.",
    ),
    "xlsform_not_open": Advice(
        "{what} 没有对应的开始行",
        "There is no {begin} for this {what}",
        "加上 {begin}，或删去此行",
        "Add a row {begin} before, or remove this row.",
    ),
    "xlsform_empty": Advice(
        "其中没有题目",
        "There is no question in it",
        "补充题目，或删去此组",
        "Add a question, or remove it.",
    ),
    "xlsform_repeat_count": Advice(
        "repeat_count 须为 1 至 {most} 的整数",
        "repeat_count is a whole number from 1 to {most}",
        "写出行数，或留空",
        "Write how many rows, or leave it empty.",
    ),
    "xlsform_check": Advice(
        "检查项只有 {results}",
        "An item of a checklist is {results}",
        "改用另一列表名",
        "Give the list another name.",
    ),
    "xpath_unreadable": Advice(
        "表达式在 {at} 处无法读取",
        "The expression cannot be read at {at}",
        "核对括号与引号",
        "Check brackets and quotes.",
    ),
    "xpath_not_known": Advice(
        "不支持 {word}", "This is not supported: {word}", "参见 docs/forms.md", "See docs/forms.md."
    ),
}
_ANSWERS: Mapping[str, Advice] = {
    "unknown_question": Advice("表单中没有这个问题", "The form has no such question", *_APP),
    "no_such_row": Advice(
        "没有行 {row}",
        "There is no row {row}",
        "从 0 起按顺序添加",
        "Add rows one after another, from 0.",
    ),
    "note_missing": Advice(
        "不合格项须说明情况", "What is not in order needs a note", "写明情况", "Say what is wrong."
    ),
    "constraint": Advice(
        "不符合要求：{message_zh}",
        "It breaks a rule: {message_en}",
        "核对后改正",
        "Check it and mend it.",
    ),
    "unknown_form": Advice(
        "没有已发布的这个表单版本",
        "There is no such published form",
        "从列表中选择",
        "Choose from the list.",
    ),
    "form_is_set": Advice(
        "任务的表单不能更换",
        "The form of a task does not change",
        "另派任务",
        "Assign another task.",
    ),
}
FAULTS: Mapping[str, Advice] = {**_DEFINITION, **_SPREADSHEETS, **_ANSWERS}
