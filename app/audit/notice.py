"""The notice that the law demands after a breach, as a template in both languages.

Its three items are those of PIPL art. 57; art. 35 of the Minors Online Protection Regulation adds
the guardians. What only people can know stands in 【】 or [].
"""

from app.audit.breach import Breach

ZH = """个人信息安全事件告知书（模板）
一、事件情况：{begins} 至 {ends}，账号 {user} 可能被他人使用，
  涉及 {households} 户、{persons} 名个人；涉及的信息种类：{kinds}。
  发生原因：【请填写】。可能造成的危害：【请填写】。
二、补救措施：已终止该账号和手机的访问（【请核对】）。
  您可以采取的措施：警惕以上述信息为由的来电或上门，【请填写】。
三、联系方式：【个人信息处理者名称、联系人、电话】。
未成年人：{minors} 人，须同时告知其监护人；
  另有 {children} 户登记有未成年人，仅知人数，请告知户内成年人。
报告履行个人信息保护职责的部门：【时间、文号】。
"""
EN = """Notice of a personal data breach (template)
1. What happened: between {begins} and {ends} account {user} may have been used by others;
   this concerns {households} households and {persons} persons.
   Kinds of information: {kinds}. Cause: [fill in]. Possible harm: [fill in].
2. Measures: access of the account and its phones has been ended [check].
   What you can do: be wary of calls or visitors who refer to this information, [fill in].
3. Contact: [name of the handler, person, telephone].
Minors: {minors}, whose guardians must be told as well; {children} more households have people
   under age of whom only the number is held: tell the adults there.
Report to the authority: [time, number].
"""


def notice_of(found: Breach) -> dict[str, str]:
    """Return the template with what we know filled in: counts and kinds, no names."""
    did = found.did
    known = {
        "begins": found.begins.isoformat(), "ends": found.ends.isoformat(),
        "user": found.whose.user_id, "households": len(did.households),
        "persons": len(did.persons) + len(did.contacts), "minors": len(did.minors),
        "children": len(did.with_children), "kinds": ", ".join(sorted(did.kinds)) or "-",
    }  # fmt: skip
    return {"zh": ZH.format(**known), "en": EN.format(**known)}
